import { describe } from '@jest/globals';
import { EventQueue } from '../../src/memory/event-queue.js';
import { MemoryBroker } from '../../src/memory/memory-broker.js';
import { MemoryBus } from '../../src/memory/memory-bus.js';
import { MemoryEnrolmentBoard } from '../../src/memory/memory-enrolment-board.js';
import { MemoryMessageLog } from '../../src/memory/memory-message-log.js';
import { MemoryOutbox } from '../../src/memory/memory-outbox.js';
import { MemoryPromiseKeeper } from '../../src/memory/memory-promise-keeper.js';
import { MemoryPublisher } from '../../src/memory/memory-publisher.js';
import { busSuite } from './bus.suite.js';
import type { Ports } from './harness.js';
import { outboxSuite } from './outbox.suite.js';
import { promiseKeeperSuite } from './promise-keeper.suite.js';
import { enrolmentBoardSuite, messageLogSuite, publisherSuite } from './storage.suite.js';

async function memoryPorts(): Promise<Ports> {
  const queue = new EventQueue('microtask');
  const bus = new MemoryBroker(queue);
  const log = new MemoryBroker(queue);
  const brokers = [bus, log];
  const listeners = new Set<string>();
  return {
    bus: (name) => {
      listeners.add(name);
      return new MemoryBus(bus, name);
    },
    publisher: async (name) => new MemoryPublisher(bus, name),
    outbox: async (replica) => new MemoryOutbox(bus, replica),
    outboxOfTwo: async (replica) => new MemoryOutbox(bus, replica, log),
    messageLog: async (replica) => new MemoryMessageLog(bus, replica),
    messageLogOfTwo: async (replica) => new MemoryMessageLog(log, replica),
    board: async () => new MemoryEnrolmentBoard(bus.store),
    cut: (name) => {
      for (const broker of brokers) broker.cut(name);
    },
    heal: (name) => {
      for (const broker of brokers) broker.heal(name);
    },
    dropSubscribers: async () => {
      for (const name of listeners) bus.cut(name);
      for (const name of listeners) bus.heal(name);
    },
    refuseWrites: async (isRefused) => {
      for (const broker of brokers) broker.refuseWrites(isRefused ? 'OOM command not allowed' : undefined);
    },
    close: async () => {},
  };
}

describe('on memory', () => {
  outboxSuite(memoryPorts);
  busSuite(memoryPorts);
  messageLogSuite(memoryPorts);
  enrolmentBoardSuite(memoryPorts);
  publisherSuite(memoryPorts);
  promiseKeeperSuite(() => {
    const keeper = new MemoryPromiseKeeper();
    return { keeper, reopen: () => keeper };
  });
});
