import { curve } from './curve.mjs';
import { etcd } from './etcd.mjs';
import { growth } from './growth.mjs';
import { halfLoad } from './half-load.mjs';
import { overload } from './overload.mjs';
import { primaryKilled } from './primary-killed.mjs';
import { rest } from './rest.mjs';
import { saturation } from './saturation.mjs';
import { appendfsync, oneDown, replicas, sizes } from './shapes.mjs';
import { unloaded } from './unloaded.mjs';

/** Everything that the bench can measure, in the order in which it does. */
export const workloads = [
  ...[unloaded, saturation, rest, curve, sizes, replicas, oneDown, primaryKilled, appendfsync],
  ...[halfLoad, growth, overload, etcd],
];

/** What a quick run measures, unless it is told what to. */
export const quickWorkloads = [unloaded, saturation, rest, curve, oneDown, primaryKilled, etcd];
