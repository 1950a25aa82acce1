import { processEnvironment } from '../../src/config/settings.js';

/** QUORATE_LONG_TESTS=1 has tests whose worth grows with their length run at their full one. */
export const areTestsLong = processEnvironment()['QUORATE_LONG_TESTS'] === '1';
