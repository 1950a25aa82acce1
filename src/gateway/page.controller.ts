import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from './access.js';
import { PAGE_CSS, PAGE_HTML, PAGE_JS } from './page.js';

@ApiExcludeController()
@Public()
@Controller()
export class PageController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  html(): string {
    return PAGE_HTML;
  }

  @Get('status.css')
  @Header('Content-Type', 'text/css; charset=utf-8')
  css(): string {
    return PAGE_CSS;
  }

  @Get('status.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  js(): string {
    return PAGE_JS;
  }
}
