/** A trace collector on this machine: receives what programs send by OTLP over HTTP in JSON. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

type Value = { stringValue?: string; intValue?: number | string; boolValue?: boolean }
export type Span = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: { key: string; value: Value }[]
  status: { code?: number; message?: string }
}
type Sent = { resourceSpans: { resource: { attributes: Span['attributes'] }; scopeSpans: { spans: Span[] }[] }[] }
export type Request = { readonly body: Sent; readonly url: string; readonly headers: IncomingHttpHeaders }

/** Attributes by name. */
export const attributesOf = ({ attributes }: Pick<Span, 'attributes'>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue ?? 0)]))

export class Collector implements Disposable {
  readonly sent: Request[] = []
  readonly #server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece))
    request.on('end', () => {
      this.sent.push({ body: JSON.parse(text) as Sent, url: request.url ?? '', headers: request.headers })
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })

  static async open(): Promise<Collector> {
    const collector = new Collector()
    await new Promise<void>((resolve) => collector.#server.listen(0, '127.0.0.1', resolve))
    return collector
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get resources(): Sent['resourceSpans'] {
    return this.sent.flatMap(({ body }) => body.resourceSpans)
  }

  get spans(): readonly Span[] {
    return this.resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((one) => one.spans))
  }

  [Symbol.dispose](): void {
    this.#server.close()
  }
}
