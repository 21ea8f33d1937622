/** An endpoint that is no S3 store: the response is named, and the request is not repeated. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLake } from '../../src/engine/run/registry.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { NEVER } from '../tables/shared-tables.ts'

const PAGE = '<!DOCTYPE html><html><head><title>Sign in</title></head></html>'
const ANSWERS: readonly [string, number, Record<string, string>, string, RegExp][] = [
  ['a page', 200, { 'content-type': 'text/html' }, PAGE, /HTTP 200, text\/html, "<!DOCTYPE html>/],
  ['an empty body', 200, {}, '', /HTTP 200, no content type, an empty body/],
  [
    'a page that says 404',
    404,
    { 'content-type': 'text/html; charset=utf-8' },
    PAGE,
    /HTTP 404, text\/html, "<!DOCTYPE/,
  ],
  ['a redirect', 302, { location: 'http://login.example/' }, '', /HTTP 302, a redirect/],
]

let server: Server
let requests: number
let before: NodeJS.ProcessEnv
beforeEach(() => {
  before = process.env
  requests = 0
})
afterEach(() => {
  process.env = before
  server.close()
})

test.each(ANSWERS)('%s', async (_, status, headers, body, reason) => {
  server = createServer((_request, response) => {
    requests++
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  process.env = {
    ...before,
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'us-east-1',
  }
  const log = await openLake('s3://lake/t')
  const error = await DeltaTable.open(log, () => Promise.reject(new Error('no Parquet')), NEVER).catch(
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(SluiceError)
  expect(error).toMatchObject({
    code: 'SOURCE_IO',
    message: 'the endpoint does not answer like S3',
    reason: expect.stringMatching(reason) as string,
    hint: expect.stringContaining('AWS_ENDPOINT_URL_S3') as string,
  })
  expect(requests).toBe(1)
})
