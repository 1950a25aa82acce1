import { expect, it } from '@jest/globals';
import { decodeBundleBody, encodeBundleBody, letGoOfRequests } from '../../../src/wire/bundle.js';

it('a bundle whose requests were let go of has the same ones, with nothing that was made of them', () => {
  const credential = { name: 'gateway-1', publicKey: Buffer.alloc(32, 1), enrolment: Buffer.alloc(64, 2) };
  const asked = [1, 2].map((timestamp) => ({ client: 'gateway-1', timestamp, operation: Buffer.from('{}') }));
  const body = encodeBundleBody(credential, 10, asked);
  const { bundle } = decodeBundleBody(body, body.length);
  const before = bundle.requests;
  const copies = before.map((request) => ({ ...request }));
  for (const request of before) request.decoded = 'something that may have changed';
  letGoOfRequests(bundle);
  expect(bundle.requests).not.toBe(before);
  expect(bundle.requests).toEqual(copies);
  expect(bundle.requests).toBe(bundle.requests);
});
