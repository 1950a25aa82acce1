import { QuorateError } from '../errors.js';

const urlCharactersMax = 2048;

/**
 * Where webhooks may go. They are sent from inside the operator's network, so they go to hosts that the operator has
 * named and to nobody else.
 */
export class WebhookPolicy {
  /** @param hosts lower case, with a port or without; `*.` at the beginning stands for any name below */
  constructor(
    readonly secret: string | undefined,
    private readonly hosts: readonly string[],
  ) {}

  /** @throws {QuorateError} `invalid-request` */
  assertAllowed(text: string | undefined): void {
    if (text === undefined) return;
    const problem = this.problemOf(text);
    if (problem !== undefined) throw new QuorateError('invalid-request', problem);
  }

  private problemOf(text: string): string | undefined {
    if (this.secret === undefined) return 'Webhooks are off: the operator has set no WEBHOOK_SECRET.';
    if (text.length > urlCharactersMax) return `A webhook has at most ${urlCharactersMax} characters.`;
    if (!URL.canParse(text)) return 'The webhook is not a URL.';
    const url = new URL(text);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'A webhook is an http or https URL.';
    if (url.username !== '' || url.password !== '') return 'A webhook has no user or password in it.';
    if (this.hosts.some((host) => isAt(url, host))) return undefined;
    return "The webhook's host is not among those that the operator allows (WEBHOOK_HOSTS).";
  }
}

function isAt(url: URL, allowed: string): boolean {
  const [name = '', port = ''] = allowed.split(':');
  const usual = url.protocol === 'https:' ? '443' : '80';
  const isPort = port === '' ? url.port === '' : (url.port === '' ? usual : url.port) === port;
  const isName = name.startsWith('*.') ? url.hostname.endsWith(name.slice(1)) : url.hostname === name;
  return isPort && isName;
}
