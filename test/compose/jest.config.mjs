import base from '../../jest.config.mjs';

/** Apart from the other tests: it builds an image, and takes minutes. `.ci/run` runs it. */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/test/compose'],
  testMatch: ['**/*.compose.ts'],
  testTimeout: 120_000,
  verbose: true,
};
