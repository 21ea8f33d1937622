/**
 * A real S3 server for tests (npm's s3rver in a child process), behind an HTTP proxy that counts requests and injects
 * faults on demand.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'

export type Passed = {
  readonly kind: 'list' | 'get' | 'head' | 'other'
  readonly key: string
  readonly query: URLSearchParams
  readonly range: string | undefined
  readonly status: number
}

export type S3Server = AsyncDisposable & {
  readonly endpoint: string
  readonly bucket: string
  /** Environment variables for a client. */
  readonly env: Readonly<Record<string, string>>
  url(prefix: string): string
  /** Copies a folder below a prefix with its times, which S3 stores in seconds. */
  putFolder(folder: string, prefix: string): void
  put(key: string, bytes: Buffer | string): void
  remove(key: string): void
  /** Where the server stores the objects below a prefix: several files per object. */
  folderOf(prefix: string): string
  /** Requests since the last `reset`. */
  requests(): { readonly lists: number; readonly gets: number; readonly heads: number; readonly log: readonly Passed[] }
  /** Most concurrent requests since the last `reset`. */
  mostAtOnce(): number
  reset(): void
  /** The next `count` requests are answered with `status` and an S3 error. */
  failNext(count: number, status: number, code?: string, headers?: Readonly<Record<string, string>>): void
  /** Delays every request by `ms`. */
  cutNext(count: number, bytes: number, between?: () => void): void
  /** Removes this parameter from requests, as if the server did not support it. */
  delay(ms: number): void
  /** Removes this header from answers, as if the store did not support it; null for all headers. */
  forget(parameter: string): void
  /** Whether answers have weak ETags, as behind a compressing proxy. */
  hide(header: string | null): void
  /** Whether ETags of answers are weak ones, as behind a proxy that compresses. */
  weaken(isWeak: boolean): void
}

const BUCKET = 'lake'
const KEY = 'S3RVER'
const READY_MS = 15_000

/** Why no server is available; empty if one is. */
export const S3_MISSING = findS3rver() === null ? 's3rver is not installed' : ''
export const S3_AVAILABLE = S3_MISSING === ''
if (!S3_AVAILABLE && process.env['CI']) throw new Error(`CI needs an S3 server: ${S3_MISSING}`)

function findS3rver(): string | null {
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve('s3rver/package.json')), 'bin/s3rver.js')
  } catch {
    return null
  }
}

/**
 * @param pageKeys most keys and folders per page of a listing: a store may return fewer than requested
 * @throws Error if the server does not start
 */
export async function startS3({ pageKeys = 1000 }: { readonly pageKeys?: number } = {}): Promise<S3Server> {
  const program = findS3rver()
  if (program === null) throw new Error(S3_MISSING)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-s3-'))
  const lists = new URL('s3rver-lists.mjs', import.meta.url).href
  const words = ['-d', folder, '-a', '127.0.0.1', '-p', '0', '--silent', '--configure-bucket', BUCKET]
  // s3rver encrypts list positions with a cipher that OpenSSL 3 only has with this option.
  const child = spawn(process.execPath, ['--openssl-legacy-provider', '--import', lists, program, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SLUICE_TEST_S3_PAGE: String(pageKeys) },
  })
  try {
    const port = await portOf(child)
    const front = new Front(port)
    await front.listen()
    return new RunningServer(folder, child, front)
  } catch (error) {
    child.kill('SIGKILL')
    fs.rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`s3rver does not start:\n${said}`)), READY_MS)
    child.stderr?.on('data', (data: Buffer) => (said += data.toString()))
    child.once('exit', (code) => reject(new Error(`s3rver ended with ${code}:\n${said}`)))
    child.stdout?.on('data', (data: Buffer) => {
      said += data.toString()
      const port = /listening on \S+:(\d+)/.exec(said)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(Number(port))
    })
  })
}

/** Forwards requests unchanged, so that signatures stay valid. */
class Front {
  readonly #port: number
  readonly #server = http.createServer((request, response) => void this.#take(request, response))
  readonly #agent = new http.Agent({ keepAlive: true })
  log: Passed[] = []
  now = 0
  most = 0
  delayMs = 0
  forgotten: string | null = null
  hidden: string | null = null
  isWeak = false
  failures: { count: number; status: number; code: string; headers: Readonly<Record<string, string>> } | null = null
  cuts: { count: number; bytes: number; between: () => void } | null = null

  constructor(port: number) {
    this.#port = port
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async listen(): Promise<void> {
    this.#server.keepAliveTimeout = 60_000
    await new Promise<void>((ready) => this.#server.listen(0, '127.0.0.1', ready))
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
    this.#agent.destroy()
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.now++
    this.most = Math.max(this.most, this.now)
    response.once('close', () => this.now--)
    if (this.delayMs > 0) await new Promise((done) => setTimeout(done, this.delayMs))
    const url = new URL(request.url ?? '/', this.origin)
    const isList = url.searchParams.has('list-type')
    const kind = isList ? 'list' : request.method === 'HEAD' ? 'head' : request.method === 'GET' ? 'get' : 'other'
    const key = decodeURIComponent(url.pathname).replace(`/${BUCKET}/`, '')
    const passed = (status: number): void => {
      this.log.push({ kind, key, query: url.searchParams, range: request.headers.range, status })
    }
    if (!signatureFits(request, url))
      this.failures ??= { count: 1, status: 403, code: 'SignatureDoesNotMatch', headers: {} }
    // If-Match compares strongly, so a weak ETag never matches; s3rver compares texts.
    if (request.headers['if-match']?.startsWith('W/') === true)
      this.failures ??= { count: 1, status: 412, code: 'PreconditionFailed', headers: {} }
    const { failures, cuts } = this
    if (failures !== null && failures.count-- > 0) {
      passed(failures.status)
      response.writeHead(failures.status, { 'content-type': 'application/xml', ...failures.headers })
      response.end(
        `<?xml version="1.0"?><Error><Code>${failures.code}</Code><Message>told to</Message><RequestId>TEST-${this.log.length}</RequestId></Error>`,
      )
      return
    }
    const { method, headers } = request
    if (this.forgotten !== null) url.searchParams.delete(this.forgotten)
    const onward = http.request(
      {
        port: this.#port,
        method,
        path: this.forgotten === null ? request.url : url.pathname + url.search,
        headers,
        agent: this.#agent,
      },
      (answer) => {
        passed(answer.statusCode ?? 0)
        const seen = Object.entries(answer.headers)
          .filter(([name]) => name !== this.hidden)
          .map(([name, value]) => [name, this.isWeak && name === 'etag' ? `W/${String(value)}` : value] as const)
        response.writeHead(answer.statusCode ?? 500, Object.fromEntries(seen))
        response.flushHeaders()
        if (kind !== 'get' || cuts === null || cuts.count-- <= 0 || (answer.statusCode ?? 500) >= 300) {
          answer.pipe(response)
          return
        }
        let left = cuts.bytes
        answer.on('data', (chunk: Buffer) => {
          if (left <= 0) return
          const part = chunk.subarray(0, left)
          left -= part.length
          response.write(part, () => {
            if (left > 0) return
            cuts.between()
            response.destroy()
          })
        })
        answer.on('end', () => response.end())
      },
    )
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  }
}

/**
 * Checks AWS Signature Version 4 against the request as received: s3rver checks older signatures only. A request
 * without one is anonymous.
 */
function signatureFits({ headers, method }: http.IncomingMessage, url: URL): boolean {
  const { authorization } = headers
  if (authorization === undefined) return true
  const [, scope = '', signed = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]+)$/.exec(authorization) ??
    []
  const query = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .toSorted()
  const lines = signed.split(';').map((name) => `${name}:${String(headers[name])}\n`)
  const body = String(headers['x-amz-content-sha256'])
  const canonical = [method, url.pathname, query.join('&'), lines.join(''), signed, body].join('\n')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, createHash('sha256').update(canonical).digest('hex')]
  const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest()
  const key = scope.split('/').reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${KEY}`)
  return hmac(key, text.join('\n')).toString('hex') === signature
}

class RunningServer implements S3Server {
  readonly bucket = BUCKET
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #front: Front

  constructor(folder: string, child: ChildProcess, front: Front) {
    this.#folder = folder
    this.#child = child
    this.#front = front
  }

  get endpoint(): string {
    return this.#front.origin
  }

  get env(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL_S3: this.endpoint,
      AWS_ACCESS_KEY_ID: KEY,
      AWS_SECRET_ACCESS_KEY: KEY,
      AWS_REGION: 'us-east-1',
    }
  }

  url(prefix: string): string {
    return `s3://${BUCKET}/${prefix}`
  }

  putFolder(folder: string, prefix: string): void {
    for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = path.join(entry.parentPath, entry.name)
      const target = this.#fileOf(`${prefix}/${path.relative(folder, file)}`)
      fs.mkdirSync(path.dirname(target), { recursive: true })
      fs.copyFileSync(file, target)
      const { mtime } = fs.statSync(file)
      fs.utimesSync(target, mtime, mtime)
    }
  }

  put(key: string, bytes: Buffer | string): void {
    const file = this.#fileOf(key)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, bytes)
    fs.rmSync(`${file}.md5`, { force: true })
  }

  remove(key: string): void {
    fs.rmSync(this.#fileOf(key))
  }

  folderOf(prefix: string): string {
    return path.join(this.#folder, BUCKET, prefix)
  }

  requests(): ReturnType<S3Server['requests']> {
    const log = [...this.#front.log]
    const count = (kind: Passed['kind']): number => log.filter((one) => one.kind === kind).length
    return { lists: count('list'), gets: count('get'), heads: count('head'), log }
  }

  mostAtOnce(): number {
    return this.#front.most
  }

  reset(): void {
    this.#front.log = []
    this.#front.most = this.#front.now
    this.#front.failures = null
    this.#front.cuts = null
  }

  failNext(count: number, status: number, code = 'SlowDown', headers: Readonly<Record<string, string>> = {}): void {
    this.#front.failures = { count, status, code, headers }
  }

  cutNext(count: number, bytes: number, between: () => void = () => undefined): void {
    this.#front.cuts = { count, bytes, between }
  }

  delay(ms: number): void {
    this.#front.delayMs = ms
  }

  weaken(isWeak: boolean): void {
    this.#front.isWeak = isWeak
  }

  hide(header: string | null): void {
    this.#front.hidden = header
  }

  forget(parameter: string): void {
    this.#front.forgotten = parameter
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#front.close()
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
    fs.rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The file in which s3rver stores an object. */
  #fileOf(key: string): string {
    return path.join(this.#folder, BUCKET, `${key}._S3rver_object`)
  }
}
