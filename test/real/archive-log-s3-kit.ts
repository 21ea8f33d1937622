/**
 * An S3 store that supports If-None-Match and fails on request: an HTTP proxy before s3rver, which ignores that header.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client } from '../../src/stores/s3/client.ts'
import type { S3Server } from '../support/servers/s3.ts'

/**
 * `drop`: the request never arrives. `lose`: it is executed, and its reply is lost. A number is the HTTP status of the
 * reply.
 */
export type Fault = 'drop' | 'lose' | number

const CODES: Readonly<Record<number, string>> = { 403: 'AccessDenied', 409: 'ConditionalRequestConflict' }

export type Asked = {
  readonly method: string
  /** Decoded key, without the bucket. */
  readonly key: string
  readonly query: URLSearchParams
  readonly bytes: number
}

export type ConditionalS3 = AsyncDisposable & {
  readonly client: S3Client
  readonly env: Readonly<Record<string, string>>
  readonly asked: Asked[]
  /** Called for each request; returns the fault to apply to it. */
  fault: (asked: Asked) => Fault | null
  /** Changes bodies on their way to the reader; null: no change. */
  alter: ((asked: Asked, body: Buffer) => Buffer) | null
  /** Keys that exist, as far as requests passed this proxy. */
  readonly there: Set<string>
  /** False: the store ignores If-None-Match. */
  heeds: boolean
}

export async function conditionalS3(s3: S3Server): Promise<ConditionalS3> {
  const upstream = new URL(s3.endpoint)
  const there = new Set<string>()
  const writing = new Set<string>()
  const asked: Asked[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const url = new URL(request.url ?? '/', upstream)
      const key = decodeURIComponent(url.pathname).replace(`/${s3.bucket}/`, '')
      const method = request.method ?? ''
      const one = { method, key, query: url.searchParams, bytes: body.length }
      asked.push(one)
      const fault = proxy.fault(one)
      const answer = (status: number, code: string): void => {
        response.writeHead(status, { 'content-type': 'application/xml' })
        response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`)
      }
      if (fault === 'drop') return void response.destroy()
      if (typeof fault === 'number') return answer(fault, CODES[fault] ?? 'SlowDown')
      const isPart = url.searchParams.has('partNumber') || url.searchParams.has('uploads')
      const makes = (method === 'PUT' || method === 'POST') && !isPart
      if (proxy.heeds && makes && request.headers['if-none-match'] === '*') {
        if (there.has(key)) return answer(412, 'PreconditionFailed')
        if (writing.has(key)) return answer(409, 'ConditionalRequestConflict')
      }
      if (makes) writing.add(key)
      const onward = http.request(
        { host: upstream.hostname, port: upstream.port, method, path: request.url, headers: request.headers },
        (got) => {
          const parts: Buffer[] = []
          got.on('data', (chunk: Buffer) => parts.push(chunk))
          got.on('end', () => {
            const status = got.statusCode ?? 500
            if (makes) writing.delete(key)
            if (makes && status < 300) there.add(key)
            if (method === 'DELETE' && !url.searchParams.has('uploadId')) there.delete(key)
            if (fault === 'lose') return void response.destroy()
            response.writeHead(status, got.headers)
            const whole = Buffer.concat(parts)
            response.end(proxy.alter === null ? whole : proxy.alter(one, whole))
          })
        },
      )
      onward.on('error', () => response.destroy())
      onward.end(body)
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const env = { ...s3.env, AWS_ENDPOINT_URL_S3: endpoint }
  const proxy: ConditionalS3 = {
    env,
    client: new S3Client(env, { tries: 5, baseMs: 1, idleMs: 5_000 }),
    asked,
    there,
    fault: () => null,
    alter: null,
    heeds: true,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
  return proxy
}

/** A fault for the first request that matches, and for no other. */
export function once(fits: (asked: Asked) => boolean, fault: Fault): (asked: Asked) => Fault | null {
  let left = 1
  return (asked) => (left > 0 && fits(asked) && left-- > 0 ? fault : null)
}
