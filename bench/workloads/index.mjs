import { curve } from './curve.mjs';
import { etcd } from './etcd.mjs';
import { primaryKilled } from './primary-killed.mjs';
import { rest } from './rest.mjs';
import { saturation } from './saturation.mjs';
import { appendfsync, oneDown, replicas, sizes } from './shapes.mjs';
import { unloaded } from './unloaded.mjs';

/** Everything that the bench can measure, in the order in which it does. */
export const workloads = [
  unloaded,
  saturation,
  curve,
  sizes,
  replicas,
  oneDown,
  primaryKilled,
  rest,
  appendfsync,
  etcd,
];
