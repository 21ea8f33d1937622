/**
 * Asks one question once in a fresh Node process with a fresh connection. The child gets its request on stdin, because
 * a database URL may hold a password, and every user of the machine can read a command line.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { throwIfAborted } from '../../../shared/abort.ts'
import { compiledEntry } from '../../../shared/compiled-entry.ts'
import { errorFromInfo, SluiceError, type ErrorInfo } from '../../../shared/errors.ts'
import type { LatencySetting } from './latency.ts'
import type { ComparePlan } from './plan.ts'
import type { QuestionId } from './questions.ts'

export type ColdRequest = {
  readonly side: 'files' | 'sql'
  readonly question: QuestionId
  readonly plan: ComparePlan
  /** URI of the table root. */
  readonly path: string
  readonly catalogUrl: string
  /** Simulated latency, the same as in the warm runs. */
  readonly latency: LatencySetting
  /** True to ask again and count the bytes read: the first time, the bytes of the drivers would be included. */
  readonly countBytes: boolean
}

export type ColdAnswer = {
  /** Time from before the store or connection is opened to the end of the answer. */
  readonly ms: number
  readonly rows: number
  readonly readBytes: string | null
}

export type ColdReply = { readonly answer: ColdAnswer } | { readonly error: ErrorInfo }

const STDERR_KEPT = 2_000

/** @throws SluiceError the child's own error; INTERNAL if it cannot be started or ends without an answer */
export async function askCold(request: ColdRequest, signal: AbortSignal): Promise<ColdAnswer> {
  throwIfAborted(signal)
  const entry = fileURLToPath(compiledEntry('engine/lake/compare/cold-main'))
  if (!existsSync(entry))
    throw new SluiceError('INTERNAL', 'the program for cold runs is not compiled', { where: entry })
  const { stdout, stderr, exit } = await requestChild(entry, JSON.stringify(request), signal)
  throwIfAborted(signal)
  const reply = parsed(stdout)
  if (reply === null) {
    const said = stderr.trim().split('\n').at(-1) ?? ''
    throw new SluiceError('INTERNAL', `a cold run ended without an answer (${exit}) ${said}`.trimEnd())
  }
  if ('error' in reply) throw errorFromInfo(reply.error)
  return reply.answer
}

function parsed(text: string): ColdReply | null {
  try {
    return JSON.parse(text) as ColdReply
  } catch {
    return null
  }
}

type ChildOutput = { readonly stdout: string; readonly stderr: string; readonly exit: string }

function requestChild(entry: string, request: string, signal: AbortSignal): Promise<ChildOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry], { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)))
    child.on('error', (error) => {
      if (signal.aborted) resolve({ stdout: '', stderr: '', exit: 'aborted' })
      else reject(new SluiceError('INTERNAL', `a cold run cannot be started: ${error.message}`, { cause: error }))
    })
    child.on('close', (code, killed) => resolve({ stdout, stderr, exit: killed ?? `exit ${code}` }))
    // The child may die before it has read the whole request; its exit is reported instead.
    child.stdin.on('error', () => undefined)
    child.stdin.end(request)
  })
}
