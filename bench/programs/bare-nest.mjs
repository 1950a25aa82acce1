// A NestJS application on Express with one POST that does nothing: what HTTP itself costs. Started by bench/processes/rest.mjs.
import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { answer } from '../processes/answering.mjs';

class BareController {
  submit({ operation }) {
    return { ok: true, key: operation.key };
  }
}

class BareModule {}

// What decorators come to in a language that has none.
const method = Object.getOwnPropertyDescriptor(BareController.prototype, 'submit');
Post()(BareController.prototype, 'submit', method);
HttpCode(200)(BareController.prototype, 'submit', method);
Body()(BareController.prototype, 'submit', 0);
Controller('v1/requests')(BareController);
Module({ controllers: [BareController] })(BareModule);

answer({
  async open() {
    const application = await NestFactory.create(BareModule, { logger: false });
    await application.listen(0, '127.0.0.1');
    return { url: await application.getUrl() };
  },
});
