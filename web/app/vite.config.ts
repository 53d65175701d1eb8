import { defineConfig } from 'vite';
import { compress } from './build/compress.ts';
import { documents } from './build/documents.ts';
import { licences } from './build/licences.ts';
import { serviceWorker } from './build/service-worker.ts';

const server = process.env['TALEBANK_URL'] ?? 'http://127.0.0.1:4000';
const proxy = Object.fromEntries(
  ['/graphql', '/files', '/streams', '/statements', '/dev', '/graphiql'].map((path) => [
    path,
    server,
  ]),
);

/** The app for listeners. The API process serves what is built here: see src/http/web. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [documents(), serviceWorker(), licences(), compress()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // The policy allows fonts and images of this server only, not data: addresses.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  css: { modules: { localsConvention: 'camelCaseOnly' } },
  server: { proxy },
  preview: { proxy },
});
