import type { Job, JobState } from 'bullmq';
import type { RequestState, RequestStatus } from './async-requests.js';
import type { Fate } from './fates.js';
import { readOutcome } from './request-job.js';
import type { Seal } from './seal.js';

/** The text under which a job that failed keeps why: BullMQ has room for a text alone. */
export function failureText(code: string, detail: string): string {
  return `${code}: ${detail}`;
}

/** @param text absent while no attempt has failed, whatever BullMQ's types say */
function failureIn(text: string | undefined): NonNullable<RequestStatus['error']> {
  const [, code, detail] = /^([a-z][a-z-]{1,40}): (.*)$/s.exec(text ?? '') ?? [];
  if (code !== undefined && detail !== undefined) return { code, detail };
  // BullMQ's own: too many gateways have died of it, or at the same time.
  return { code: 'internal', detail: 'The request was given up; the log of the gateway has why.' };
}

/** @param job read after `state` and `fate` were */
export function statusOf(
  id: string,
  job: Job,
  state: JobState | 'unknown',
  fate: Fate | undefined,
  seal: Seal,
): RequestStatus {
  const isOver = job.finishedOn !== undefined;
  const common = { id, attempts: job.attemptsStarted, submittedAt: timeText(job.timestamp) };
  const finishedAt = isOver ? { finishedAt: timeText(job.finishedOn ?? 0) } : {};
  if (fate === 'cancelled') return { ...common, attempts: 0, state: 'cancelled', ...finishedAt };
  const error = { error: failureIn(job.failedReason) };
  if (!isOver) {
    const now = stateNames[state] ?? 'waiting';
    return { ...common, state: now, ...(now === 'retrying' ? error : {}) };
  }
  // A reason stays there from an attempt before the one that succeeded.
  if (!hasOutcome(job)) return { ...common, state: 'failed', ...finishedAt, ...error };
  const outcome = readOutcome(id, job.returnvalue, seal);
  const reply = outcome?.reply ?? undefined;
  if (reply !== undefined) return { ...common, state: 'completed', ...finishedAt, reply };
  const detail =
    'What Redis keeps as its result is not what a gateway has written. Send the request again under its key.';
  return { ...common, state: 'failed', ...finishedAt, error: { code: 'internal', detail } };
}

/** Whether an attempt succeeded. */
export function hasOutcome({ returnvalue }: Job): boolean {
  return returnvalue !== null && returnvalue !== undefined;
}

/** BullMQ's names. A state that is over and not yet read as such is on its way to being so. */
const stateNames: Readonly<Partial<Record<JobState | 'unknown', RequestState>>> = {
  active: 'active',
  completed: 'active',
  failed: 'active',
  delayed: 'retrying',
};

function timeText(ms: number): string {
  return new Date(Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 8.64e15) : 0).toISOString();
}
