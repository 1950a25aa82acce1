/** Counts what each client asks for, at all gateways together. */
export interface RateLimiter {
  /**
   * Counts one request of `client`.
   * @returns 0 when it is within `perMinute`, else after how many milliseconds the next one is
   * @throws {QuorateError} `bus-unavailable` when the count cannot be reached
   */
  take(client: string, perMinute: number): Promise<number>;
}
