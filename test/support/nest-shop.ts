import {
  Body,
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  Param,
  Post,
  type ArgumentsHost,
  type DynamicModule,
  type ExceptionFilter,
  type PipeTransform,
} from '@nestjs/common';
import { QuorateClient } from '../../src/nest/index.js';

/** A part of somebody's application, which uses the cluster. */
@Controller('orders')
class OrdersController {
  constructor(@Inject(QuorateClient) private readonly cluster: QuorateClient) {}

  @Post()
  async take(@Body() order: { readonly id: string; readonly seenBy: string }): Promise<object> {
    const { result } = await this.cluster.submit({ op: 'put', key: `order-${order.id}`, value: order.seenBy });
    return { result, seenBy: order.seenBy };
  }

  @Get(':id')
  async show(@Param('id') id: string): Promise<object> {
    const { value } = await this.cluster.query(`order-${id}`);
    if (value === undefined) throw new NotFoundException('no such order');
    return { value };
  }
}

/** The application's own, for all its controllers. */
@Injectable()
export class ShopPipe implements PipeTransform {
  readonly seen: unknown[] = [];

  transform(value: unknown, { type }: { readonly type: string }): unknown {
    this.seen.push(value);
    return type === 'body' ? { ...(value as object), seenBy: 'the pipe of the shop' } : value;
  }
}

/** The application's own, for all errors. */
@Catch()
export class ShopFilter implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<{ status(code: number): { json(body: object): void } }>();
    response.status(error instanceof NotFoundException ? 404 : 500).json({ shop: error.message });
  }
}

@Module({})
export class Shop {
  static over(gateway: DynamicModule): DynamicModule {
    return { module: Shop, imports: [gateway], controllers: [OrdersController] };
  }
}
