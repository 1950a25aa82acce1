import { curve } from './curve.mjs';
import { drift } from './drift.mjs';
import { etcd } from './etcd.mjs';
import { growth } from './growth.mjs';
import { halfLoad } from './half-load.mjs';
import { oneProcess } from './one-process.mjs';
import { overload } from './overload.mjs';
import { primaryKilled } from './primary-killed.mjs';
import { rest } from './rest.mjs';
import { saturation } from './saturation.mjs';
import { appendfsync, oneDown, replicas, sizes } from './shapes.mjs';
import { unloaded } from './unloaded.mjs';

/** What a full run measures, in this order. */
export const fullWorkloads = [
  ...[unloaded, saturation, rest, curve, sizes, replicas, oneDown, primaryKilled, appendfsync],
  ...[halfLoad, growth, overload, etcd],
];

/** What a quick run measures as far as it gets, unless it is told what to. */
export const quickWorkloads = [unloaded, saturation, rest, curve, etcd, oneDown, primaryKilled];

/** Everything that can be asked for: also a million requests, which take as long as all the rest, and what is for our own work. */
export const workloads = [...fullWorkloads, drift, oneProcess];
