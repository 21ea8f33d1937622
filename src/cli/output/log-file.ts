/** `--log-file`: appends every event as a line of JSON. `level`, `time` and `msg` are compatible with pino. */
import { closeSync, lstatSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { Event } from '../../model/run/event.ts'
import { makeFolderSync } from '../../shared/make-folder.ts'
import { visibleJson } from '../../shared/visible.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Frontend } from './frontend.ts'

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const

const DEBUG: ReadonlySet<Event['type']> = new Set([
  'chunk.progress',
  'chunk.skipped',
  'chunks.summary',
  'archive.progress',
  'fsck.progress',
  'partition.progress',
  'partition.pace',
])
const WARNINGS: ReadonlySet<Event['type']> = new Set(['chunk.retried', 'row.aside', 'rows.fallback', 'throttle.on'])

function levelOf(event: Event): keyof typeof LEVELS {
  if (event.type === 'log') return event.level === 'note' ? 'info' : event.level
  if (DEBUG.has(event.type)) return 'debug'
  if (event.type === 'archive.state') return event.error === undefined ? 'info' : 'error'
  if (event.type === 'archive.finding') return /^(?:stray|swept) file$/.test(event.finding) ? 'info' : 'error'
  if (event.type === 'partition.alarm') return 'error'
  if (event.type === 'alert') return event.state === 'raised' ? 'error' : 'info'
  if (event.type === 'decommission.finding') return event.verdict === 'refused' ? 'error' : 'info'
  if (event.type === 'fsck.finding') return event.level === 'finding' ? 'error' : 'info'
  if (WARNINGS.has(event.type)) return 'warn'
  if (event.type === 'chunk.failed' || event.type === 'verify.mismatch' || event.type === 'difference') return 'error'
  if (event.type === 'verify.check') return event.equal ? 'info' : 'error'
  if (event.type === 'table.finished' || event.type === 'run.finished')
    return event.error === undefined ? 'info' : 'error'
  return 'info'
}

/** Refuses a link of another user, who could choose the file that gets the lines. Links of root are allowed. */
function refuseLinkOfOthers(file: string): void {
  const link = lstatSync(file, { throwIfNoEntry: false })
  const uid = process.getuid?.()
  if (link?.isSymbolicLink() !== true || uid === undefined || link.uid === uid || link.uid === 0) return
  throw new Error('it is a link that another user has made')
}

/**
 * Opens the file at once, so that a wrong path fails before the command starts.
 * @param complain called once when writing fails
 * @throws SluiceError BAD_FLAG
 */
export function logFileFrontend(
  file: string,
  redact: (event: Event) => Event,
  complain: (message: string) => void = () => {},
): Frontend {
  let fd: number
  try {
    makeFolderSync(path.dirname(path.resolve(file)))
    refuseLinkOfOthers(file)
    fd = openSync(file, 'a')
  } catch (error) {
    throw new SluiceError('BAD_FLAG', 'the log file cannot be opened', {
      where: file,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'check the path of --log-file',
      cause: error,
    })
  }
  const write = fileWriter(fd, `the log file ${file}`, complain)
  return {
    event: (event) => {
      const { ts, type, v: _v, seq: _seq, ...rest } = redact(event)
      // A log event has its own level and message.
      const { level: _level, message = type, ...facts } = rest as typeof rest & { level?: string; message?: string }
      write(`${visibleJson({ level: LEVELS[levelOf(event)], time: ts, type, ...facts, msg: message })}\n`)
    },
    close: () => closeSync(fd),
  }
}

/** Writes texts to an open file; after the first failure it writes no more, and complains once about the file. */
export function fileWriter(fd: number, name: string, complain: (message: string) => void): (text: string) => void {
  let broken = false
  // Written synchronously, because the log is read to see what a killed run did last. A full disk must not end or block
  // the run, which does not depend on this file.
  return (text) => {
    if (broken) return
    try {
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    } catch (error) {
      broken = true
      complain(`${name} cannot be written any more: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
