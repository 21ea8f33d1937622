/**
 * Preloaded into a program under test: a file grows by one byte for each byte that the program has read from its
 * terminal.
 */
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { ReadStream } from 'node:tty'

const file = process.env.SLUICE_TEST_READS
const { push } = ReadStream.prototype
if (file)
  ReadStream.prototype.push = function (chunk, ...more) {
    if (chunk) appendFileSync(file, 'x'.repeat(chunk.length))
    return push.call(this, chunk, ...more)
  }
