/** Client of a run's control socket: reads its state and sends steering requests. */
import net from 'node:net'
import path from 'node:path'
import { noSuchLocalRun, refuseOtherOwner, removeDead } from '../../engine/run/socket-folder.ts'
import { ERROR_CODES, SluiceError, type ErrorCode } from '../../shared/errors.ts'
import { suggested } from '../../shared/closest.ts'

export type Setting = string | number | boolean | null | readonly string[]
export type ControlRequest = { readonly get: true } | { readonly set: Readonly<Record<string, Setting>> }
/** @property until ms since the epoch. A run that reads the request later, because it was suspended, must ignore it */
type SentRequest = ControlRequest & { readonly until: number }
export type RunState = Readonly<Record<string, unknown>>

const ANSWER_MS = 5_000
/** Longest accepted answer, in characters. An answer is one line; a longer line is not from sluice. */
const MAX_ANSWER_LENGTH = 1_000_000

const SILENT_HINT =
  'it may be stopped (kill -STOP) or very busy; the request was not applied, so repeat it when the run continues'
const HINT =
  'for the whole run: workers N, rate N, rate off, lanes N (stream), pause, resume or stop; for a table or chunk: pause, resume, skip or retry, with TABLE or TABLE/CHUNK'
const SWITCHES: Readonly<Record<string, readonly [name: string, value: boolean]>> = {
  pause: ['paused', true],
  resume: ['paused', false],
  stop: ['stop', true],
}
/** Requests for single tables or chunks. */
const TABLE_REQUESTS = new Set(['pause', 'resume', 'skip', 'retry'])
const TRUE = new Set(['true', 'yes', 'on', '1'])
const FALSE = new Set(['false', 'no', 'off', '0'])

/** Settings with a value in the next word. */
const SETTINGS_WITH_VALUE = new Set(['workers', 'lanes', 'rate'])

/**
 * Joins words to settings in the older spelling: `workers 8 skip a/3` becomes `workers=8 skip=a#3`. Typed `name=value`
 * stays unchanged: a user needs it if the name of a table is one of these words, or ends like a chunk (`/3`).
 */
function joinedSettings(words: readonly string[]): readonly string[] {
  const settings: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const next = words[at + 1]
    const isValue = next !== undefined && !next.includes('=') && !Object.hasOwn(SWITCHES, next)
    if (SETTINGS_WITH_VALUE.has(word) && next !== undefined) {
      settings.push(`${word}=${next}`)
      at++
    } else if (TABLE_REQUESTS.has(word) && isValue && !TABLE_REQUESTS.has(next) && !SETTINGS_WITH_VALUE.has(next)) {
      settings.push(`${word}=${next.replace(/\/(\d+)$/, '#$1')}`)
      at++
    } else settings.push(word)
  }
  return settings
}

/** Parses settings such as `workers 8 stop`; without words, requests the state. @throws SluiceError BAD_FLAG */
export function controlRequest(words: readonly string[]): ControlRequest {
  if (words.length === 0) return { get: true }
  const set: Record<string, Setting> = {}
  for (const word of joinedSettings(words)) {
    const [name, value] = settingOf(word)
    const before = set[name]
    if (before === undefined) set[name] = value
    // Several tables may get the same request.
    else if (TABLE_REQUESTS.has(name)) set[name] = [before, value].flat().map(String)
    else throw wrong(`${name} is set twice`)
  }
  return { set }
}

function settingOf(word: string): readonly [name: string, value: Setting] {
  const equals = word.indexOf('=')
  if (equals === -1) {
    const found = SWITCHES[word]
    if (found !== undefined) return found
    if (TABLE_REQUESTS.has(word)) throw wrong(`${word} needs a table: ${word} TABLE`)
    if (SETTINGS_WITH_VALUE.has(word)) throw wrong(`${word} needs a number: ${word} N`)
    throw wrong(`${word} is not a setting${suggested(word, Object.keys(SWITCHES))}`)
  }
  const name = word.slice(0, equals)
  const value = word.slice(equals + 1).trim()
  switch (name) {
    case 'workers':
      return [name, whole(name, value, 1, 64)]
    case 'lanes':
      return [name, whole(name, value, 1, 16)]
    case 'rate':
      return [name, value === 'off' || value === 'none' ? null : whole(name, value, 1)]
    case 'paused':
    case 'stop':
      if (TRUE.has(value)) return [name, true]
      if (FALSE.has(value)) return [name, false]
      throw wrong(`${name} takes true or false, not ${value}`)
    case 'pause':
    case 'resume':
    case 'skip':
    case 'retry':
      if (value !== '') return [name, value]
      throw wrong(`${name}= needs the name of a table`)
    default: {
      const known = ['workers', 'lanes', 'rate', 'paused', 'stop', ...TABLE_REQUESTS]
      throw wrong(`${name} is not a setting${suggested(name, known)}`)
    }
  }
}

function whole(name: string, value: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= most) return number
  throw wrong(
    `${name} must be a whole number ${most < 100 ? `from ${least} to ${most}` : `of at least ${least}`}, not ${value}`,
  )
}

function wrong(message: string): SluiceError {
  return new SluiceError('BAD_FLAG', message, { hint: HINT })
}

/**
 * Sends one request; resolves with the state of the run after the request.
 * @throws SluiceError NO_SUCH_PATH if no such run is active here, CONNECT_FAILED if it does not answer, or the error in
 * its answer
 */
export async function controlRun(socketPath: string, request: ControlRequest): Promise<RunState> {
  refuseOtherOwner(path.dirname(socketPath))
  const sent: SentRequest = { ...request, until: Date.now() + ANSWER_MS }
  return stateOf(await exchange(socketPath, `${JSON.stringify(sent)}\n`), socketPath)
}

function exchange(socketPath: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = net.createConnection(socketPath)
    const fail = (message: string, cause?: unknown, hint?: string): void => {
      socket.destroy()
      const reason = cause instanceof Error ? { reason: cause.message, cause } : {}
      reject(
        new SluiceError('CONNECT_FAILED', message, {
          where: socketPath,
          ...reason,
          ...(hint === undefined ? {} : { hint }),
        }),
      )
    }
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_MS, () => fail('the run does not answer', undefined, SILENT_HINT))
    socket.once('connect', () => socket.write(line))
    socket.on('data', (piece: string) => {
      text += piece
      const end = text.indexOf('\n')
      if (end !== -1) {
        socket.end()
        resolve(text.slice(0, end))
      } else if (text.length > MAX_ANSWER_LENGTH) fail('the answer of the run is not valid')
    })
    socket.once('end', () => fail('the run has ended before it answered'))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Nothing listens on the socket: a killed run left it behind.
      if (error.code === 'ECONNREFUSED') removeDead(socketPath)
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') reject(noRun(socketPath))
      else fail('the run cannot be reached', error)
    })
  })
}

function noRun(socketPath: string): SluiceError {
  return noSuchLocalRun(/run-(\d+)\.sock$/.exec(socketPath)?.[1] ?? '', socketPath)
}

const UNREADABLE = 'the answer of the run cannot be read'
const OTHER_VERSION = 'use the sluice version that started the run'

function stateOf(line: string, where: string): RunState {
  let answer: unknown
  try {
    answer = JSON.parse(line)
  } catch (cause) {
    throw new SluiceError('CONNECT_FAILED', UNREADABLE, { where, hint: OTHER_VERSION, cause })
  }
  if (!isRecord(answer)) throw new SluiceError('CONNECT_FAILED', UNREADABLE, { where, hint: OTHER_VERSION })
  if (answer['ok'] === true && isRecord(answer['state'])) return answer['state']
  const { code, message, hint } = isRecord(answer['error']) ? answer['error'] : {}
  throw new SluiceError(
    knownCode(code),
    typeof message === 'string' ? message : 'the run refused the request without a reason',
    typeof hint === 'string' ? { hint } : {},
  )
}

/** Returns the code, or BAD_FLAG if this version does not know it: a run of another version may send such a code. */
function knownCode(code: unknown): ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'BAD_FLAG'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
