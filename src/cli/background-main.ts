/**
 * Entry of the program that a run of `--background` goes on in: what it has to do comes over a pipe, and a terminal
 * that closes is nothing to it.
 */
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { EventEmitter } from 'node:events'
import process from 'node:process'
import { deserialize } from 'node:v8'
import type { BackgroundOrder } from './background.ts'
import { launch } from './launch.ts'

/** Where whoever started it listens. */
const TOLD = 3

let isHeard = true

function tell(line: string): void {
  if (!isHeard) return
  try {
    writeSync(TOLD, `${line}\n`)
    if (line.startsWith('begun')) closeSync(TOLD)
  } catch {
    // Nobody waits any more.
    isHeard = false
    return
  }
  if (line.startsWith('begun')) isHeard = false
}

process.on('SIGHUP', () => undefined)
const signals = new EventEmitter()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => signals.emit(signal))
const { words, operation } = deserialize(readFileSync(0)) as BackgroundOrder
await launch(words, { signals, background: { operation, tell } })
