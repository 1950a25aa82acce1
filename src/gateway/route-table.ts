import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** One layer of Express's router, as far as we read it. */
interface Layer {
  readonly route?: { readonly methods: Readonly<Record<string, boolean>> };
  match(path: string): boolean;
}

/** Which methods a path has, as Express itself would route them. */
@Injectable()
export class RouteTable {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  /** @returns nothing for a path that has no route. `path` must decode, as every path does that came past the routes. */
  methodsOf(path: string): readonly string[] {
    const { router } = this.host.httpAdapter.getInstance<{ router: { stack: readonly Layer[] } }>();
    const methods = new Set<string>();
    for (const layer of router.stack) {
      if (layer.route === undefined || !layer.match(path)) continue;
      for (const method of Object.keys(layer.route.methods)) methods.add(method.toUpperCase());
    }
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  }
}
