/** A file descriptor that a thread has closed and another now owns stays open when the thread ends. */
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startThread } from '../../src/shared/thread.ts'

/** Opens a file, reports its descriptor, and ends on a message: by then the descriptor belongs to another owner. */
const ENTRY = `
import { openSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
parentPort.postMessage(openSync(workerData, 'r'))
parentPort.once('message', () => parentPort.close())
`

test('a descriptor that a thread has opened and another now owns stays open when the thread ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-thread-'))
  const file = join(folder, 'f')
  writeFileSync(file, 'of another thread')
  const thread = startThread(new URL(`data:text/javascript,${encodeURIComponent(ENTRY)}`), file)
  const [number] = (await once(thread, 'message')) as [number]
  // As when a socket closes the descriptor of its pipe, and the system reuses it.
  closeSync(number)
  const mine = openSync(file, 'r')
  expect(mine).toBe(number)
  thread.postMessage('end')
  await once(thread, 'exit')
  expect(() => fstatSync(mine)).not.toThrow()
  expect(readFileSync(mine, 'utf8')).toBe('of another thread')
  closeSync(mine)
  rmSync(folder, { recursive: true })
})
