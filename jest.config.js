/** @type {import('jest').Config} */
const common = {
  rootDir: import.meta.dirname,
  testEnvironment: '<rootDir>/test/support/environment.js',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  // Sources import each other by the names that they have when compiled; what is compiled stays as it is.
  moduleNameMapper: { '^((?!.*(?:dist|node_modules)/)\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/package.json'],
  transformIgnorePatterns: ['/node_modules/', '<rootDir>/dist/'],
};

/** Groups that need programs besides Node: Chromium, or Postgres with its client programs and promtool. */
const group =
  ['browser', 'ops', 'runbooks'].find((name) => name === process.env.TALEBANK_TEST_GROUP) ??
  '!(browser|ops|runbooks)';

/** @type {import('jest').Config} */
export default {
  // One more than the cores of a small machine, because tests often wait for servers and for times.
  maxWorkers: 3,
  randomize: true,
  testTimeout: 300_000,
  testSequencer: '<rootDir>/test/support/sequencer.js',
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
  ...common,
  testMatch: [`<rootDir>/test/${group}/**/*.test.ts`],
};
