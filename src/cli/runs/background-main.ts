/** Entry of the process of `--background`. It reads the operation from a pipe; closing the terminal does not end it. */
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { EventEmitter } from 'node:events'
import process from 'node:process'
import { deserialize } from 'node:v8'
import type { BackgroundOrder } from './background.ts'
import { launch } from '../launch.ts'

/** File descriptor that the starting process listens on. */
const REPORT_FD = 3

let isListening = true

function report(line: string): void {
  if (!isListening) return
  try {
    writeSync(REPORT_FD, `${line}\n`)
    if (line.startsWith('begun')) closeSync(REPORT_FD)
  } catch {
    // The starting process no longer listens.
    isListening = false
    return
  }
  if (line.startsWith('begun')) isListening = false
}

process.on('SIGHUP', () => undefined)
const signals = new EventEmitter()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => signals.emit(signal))
const { words, operation } = deserialize(readFileSync(0)) as BackgroundOrder
await launch(words, { signals, background: { operation, tell: report } })
