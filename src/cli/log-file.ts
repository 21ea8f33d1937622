/** `--log-file`: every event as one line of JSON in pino's form, appended. */
import { mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import type { Event } from '../model/event.ts'
import { SluiceError } from '../shared/errors.ts'
import type { Face } from './face.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

function levelOf(event: Event): Level {
  if (event.type === 'log') return event.level === 'note' ? 'info' : event.level
  if (event.type === 'chunk.progress') return 'debug'
  if (event.type === 'chunk.retried') return 'warn'
  if (event.type === 'chunk.failed' || event.type === 'verify.mismatch') return 'error'
  if (event.type === 'verify.check') return event.equal ? 'info' : 'error'
  if (event.type === 'table.finished' || event.type === 'run.finished')
    return event.error === undefined ? 'info' : 'error'
  return 'info'
}

/** Opens the file at once, so that a wrong path ends the command before it starts. @throws SluiceError BAD_FLAG */
export async function logFileFace(file: string, redact: (event: Event) => Event): Promise<Face> {
  const { pino } = await import('pino')
  let fd: number
  try {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
    fd = openSync(file, 'a')
  } catch (error) {
    throw new SluiceError('BAD_FLAG', 'the log file cannot be opened', {
      where: file,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'check the path behind --log-file',
      cause: error,
    })
  }
  // Written at once: what a killed run did last is what its log file is read for.
  const destination = pino.destination({ fd, sync: true })
  // A full disk must not end the run: its ledger is the catalog, not this file.
  destination.on('error', () => {})
  const logger = pino({ level: 'debug', base: null, timestamp: false }, destination)
  return {
    event: (event) => {
      const { ts, type, v: _v, seq: _seq, ...rest } = redact(event)
      // A log event has a level and a message of its own, in pino's places.
      const { level: _level, message = type, ...facts } = rest as typeof rest & { level?: string; message?: string }
      logger[levelOf(event)]({ time: ts, type, ...facts }, message)
    },
    close: () => destination.flushSync(),
  }
}
