/** Where a process tells its operator what happened: facts first, then a text. pino has this form. */
export interface Logger {
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}
