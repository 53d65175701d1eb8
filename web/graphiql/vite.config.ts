import { defineConfig } from 'vite';

/** GraphiQL with its editor and workers, served by the API itself: nothing comes from elsewhere. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/graphiql/',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    // An editor is a large thing, and this page is for developers.
    chunkSizeWarningLimit: 5000,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
});
