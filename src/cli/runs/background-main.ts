/** Entry of the process of `--background`. It reads the operation from a pipe; closing the terminal does not end it. */
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { EventEmitter } from 'node:events'
import process from 'node:process'
import { deserialize } from 'node:v8'
import type { BackgroundOrder } from './background.ts'
import type { Event } from '../../model/run/event.ts'
import { launch } from '../launch.ts'

/** File descriptor that the starting process listens on. */
const REPORT_FD = 3

/** What the starting process knows. It has stopped listening after `begun`. */
let known: 'nothing' | 'started' | 'begun' = 'nothing'

/**
 * Reports `started RUN` at the first event of the run, and `begun RUN` at the first event of its work. Start and end of
 * the run, retries and warnings are not work.
 */
function report(event: Event): void {
  if (known === 'begun' || event.runId === null) return
  try {
    if (known === 'nothing') writeSync(REPORT_FD, `started ${event.runId}\n`)
    known = 'started'
    if (!isWork(event)) return
    writeSync(REPORT_FD, `begun ${event.runId}\n`)
    closeSync(REPORT_FD)
  } catch {
    // The starting process no longer listens.
  }
  known = 'begun'
}

function isWork(event: Event): boolean {
  if (event.type === 'log') return event.level === 'note'
  return event.type !== 'run.started' && event.type !== 'run.finished' && event.type !== 'chunk.retried'
}

process.on('SIGHUP', () => undefined)
const signals = new EventEmitter()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => signals.emit(signal))
const { words, operation } = deserialize(readFileSync(0)) as BackgroundOrder
await launch(words, { signals, background: { operation, listen: report } })
