/**
 * Unix socket of a run to query, steer and watch it. Each request is a line with one JSON object, and gets one reply
 * line; a watcher gets one line per event. Only the user who started the run can reach it.
 */
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { parseTableRequest, type TableRequest } from '../../../model/run/table-request.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { makeSocketFolder } from '../../run/socket-folder.ts'
import type { SteeringRequest } from '../../run/operation.ts'
import type { Steered } from '../../run/steered.ts'

/** Limit of characters per request; a longer one closes the connection. */
const MAX_REQUEST_LENGTH = 10_000

/** Path of a run's socket. @param runId as events show it */
export function controlSocketPath(
  runId: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  return join(env['XDG_RUNTIME_DIR'] || tmpdir(), `sluice-${userInfo().uid}`, `run-${runId}.sock`)
}

/** What a run offers to clients of its socket besides steering. */
export type SocketRun = {
  /** Sends every event from now on to the socket. */
  readonly join: (socket: Socket) => void
  readonly abort: () => void
}

/**
 * Listens until disposed; if no socket can be created, the run continues without one.
 * @param complain called if the cause is a folder that another user owns or may write to
 */
export async function openControlSocket(
  runId: string,
  steering: Steered,
  watched: SocketRun | null = null,
  complain: (error: SluiceError) => void = () => undefined,
): Promise<AsyncDisposable> {
  const path = controlSocketPath(runId)
  const server = createServer((socket) => listen(socket, steering, watched))
  try {
    makeSocketFolder(dirname(path))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    server.unref()
  } catch (error) {
    if (error instanceof SluiceError) complain(error)
    return { [Symbol.asyncDispose]: async () => undefined }
  }
  return { [Symbol.asyncDispose]: () => closed(server, path) }
}

async function closed(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()))
  rmSync(path, { force: true })
}

function listen(socket: Socket, steering: Steered, watched: SocketRun | null): void {
  let text = ''
  let isWatching = false
  socket.unref()
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (piece: string) => {
    text += piece
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
      const line = text.slice(0, end)
      text = text.slice(end + 1)
      if (watched === null || isWatching || !asksToWatch(line)) {
        const said = answer(line, steering, watched)
        // Send no reply to a watcher: it would read the reply as an event.
        if (!isWatching) socket.write(`${JSON.stringify(said)}\n`)
        continue
      }
      isWatching = true
      watched.join(socket)
    }
    // The remaining text is one request without a line end.
    if (text.length > MAX_REQUEST_LENGTH) socket.destroy()
  })
}

function asksToWatch(line: string): boolean {
  try {
    const request = JSON.parse(line) as unknown
    return typeof request === 'object' && request !== null && 'watch' in request && request.watch === true
  } catch {
    return false
  }
}

function answer(line: string, steering: Steered, watched: SocketRun | null): unknown {
  try {
    const request = JSON.parse(line) as unknown
    if (typeof request !== 'object' || request === null) throw wrong('a request must be a JSON object')
    // The client has given up after its time limit: a run that was frozen must not apply the request later.
    if ('until' in request && typeof request.until === 'number' && Date.now() > request.until) {
      throw wrong('the request came too late')
    }
    if ('abort' in request && request.abort === true && watched !== null) watched.abort()
    else if ('set' in request) set(request.set, steering)
    else if (!('get' in request)) throw wrong('a request must have "get", "set" or "watch"')
    return { ok: true, state: steering.state() }
  } catch (error) {
    const { code, message, hint } = error instanceof SluiceError ? error : wrong('a request must be one line of JSON')
    return { ok: false, error: { code, message, ...(hint === undefined ? {} : { hint }) } }
  }
}

function set(options: unknown, steering: Steered): void {
  if (typeof options !== 'object' || options === null) throw wrong('"set" must be an object')
  // Check all requests before the first is applied.
  const all = Object.entries(options).flatMap(([name, value]) => requestsOf(name, value))
  for (const request of all) steering.checked(request)
  for (const wish of all) steering.honour(wish)
}

function requestsOf(name: string, value: unknown): readonly SteeringRequest[] {
  const whole = (least: number): number => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
    throw wrong(`${name} must be a whole number of at least ${least}`)
  }
  const flag = (): boolean => {
    if (typeof value === 'boolean') return value
    throw wrong(`${name} must be true or false`)
  }
  switch (name) {
    case 'workers':
      return [{ act: 'workers', workers: whole(1) }]
    case 'lanes':
      return [{ act: 'lanes', lanes: whole(1) }]
    case 'rate':
      return [{ act: 'rate', rate: value === null ? null : whole(1) }]
    case 'paused':
      return [{ act: 'hold', held: flag() }]
    case 'pause':
    case 'resume':
    case 'skip':
    case 'retry':
      return (Array.isArray(value) ? value : [value]).map((one) => tableRequests(name, one))
    case 'stop':
      if (!flag()) throw wrong('stop must be true')
      return [{ act: 'stop' }]
    default:
      throw wrong(`${name} cannot be set`)
  }
}

function tableRequests(act: TableRequest['act'], value: unknown): SteeringRequest {
  if (typeof value !== 'string' || value === '') throw wrong(`${act} needs the name of a table`)
  return parseTableRequest(act, value)
}

function wrong(message: string): SluiceError {
  return new SluiceError('BAD_FLAG', message, {
    hint: 'for the whole run: workers N, lanes N, rate N, pause, resume or stop; for a table or chunk: pause, resume, skip or retry, with TABLE or TABLE/CHUNK',
  })
}
