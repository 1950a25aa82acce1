import { z } from 'zod';
import type { Settings } from '../config/settings.js';
import { CommandFailed, harmless, print, type Context } from './context.js';

/** What the gateway said, word for word: the text of a reply is what its receipt is about. */
export interface Answer {
  readonly text: string;
  readonly body: unknown;
}

/** A gateway answers within DEADLINE_MS; this much more for the way there and back. */
const ALLOWANCE_MS = 5_000;

const problemSchema = z.object({ code: z.string(), detail: z.string() });

/** A problem that the gateway answered with. */
class Refused extends CommandFailed {
  constructor(
    readonly answer: string,
    code: string,
    message: string,
  ) {
    super(code, message);
  }
}

/**
 * @param path with its leading slash
 * @throws {CommandFailed} when no gateway answers in time, or it refuses
 */
export async function ask(settings: Settings, path: string, init: RequestInit = {}): Promise<Answer> {
  const timeout = AbortSignal.timeout(settings.deadlineMs + ALLOWANCE_MS);
  const signal = init.signal === undefined || init.signal === null ? timeout : AbortSignal.any([timeout, init.signal]);
  let response: Response;
  let text: string;
  try {
    const headers = new Headers(init.headers);
    if (settings.quorateKey !== undefined) headers.set('authorization', `Bearer ${settings.quorateKey}`);
    response = await fetch(settings.quorateUrl + path, { ...init, headers, signal, redirect: 'error' });
    text = await response.text();
  } catch (error) {
    const { cause, message } = error as Error;
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
    throw new CommandFailed(
      'no-gateway',
      `no gateway answers at ${settings.quorateUrl}: ${reason}. Name another with --url or QUORATE_URL; \`quorate up\` starts a cluster.`,
    );
  }
  const body = parse(text);
  if (response.ok && body !== undefined) return { text, body };
  const problem = problemSchema.safeParse(body);
  if (problem.success) throw new Refused(text, harmless(problem.data.code), harmless(problem.data.detail));
  throw new Refused(
    text,
    'not-a-gateway',
    `${settings.quorateUrl} answered ${String(response.status)}, and not like a gateway`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface AnswerOptions {
  /** Print what the gateway said as it is, a refusal, too. */
  readonly json?: true;
}

/** Asks, and prints the answer: as it came, or as `describe` puts it for people. */
export async function askAndPrint(
  context: Context,
  settings: Settings,
  request: { readonly path: string; readonly init?: RequestInit },
  options: AnswerOptions,
  describe: (body: unknown) => string,
): Promise<void> {
  try {
    const { text, body } = await ask(settings, request.path, request.init);
    print(context, options.json === true ? text.trimEnd() : describe(body));
  } catch (error) {
    if (options.json === true && error instanceof Refused) print(context, error.answer.trimEnd());
    throw error;
  }
}

/** @throws {CommandFailed} when the gateway speaks another language than this client */
export function understood<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new CommandFailed(
    'not-a-gateway',
    'the gateway answered in a form that this version does not know; --json shows it',
  );
}
