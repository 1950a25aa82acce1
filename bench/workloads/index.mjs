import { saturation } from './saturation.mjs';
import { unloaded } from './unloaded.mjs';

/** Everything that the bench can measure, in the order in which it does. */
export const workloads = [unloaded, saturation];
