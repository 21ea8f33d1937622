/** The program of one task, as its worker starts and steers it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { copyOf } from '../support/half-done/copies.ts'
import { afterAll, expect, test } from 'vitest'
import { TaskProgram } from '../../src/app/share/task-program.ts'
import type { SharedRequests } from '../../src/app/share/task-requests.ts'
import type { Event } from '../../src/model/run/event.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-slot-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A task that copies one empty table. */
function taskOf(name: string, honoured: SharedRequests): TaskProgram {
  const [from, to] = ['from', 'to'].map((end) => path.join(folder, `${name}-${end}.db`)) as [string, string]
  const db = new Database(from)
  db.exec('CREATE TABLE done (id INTEGER PRIMARY KEY, v TEXT)')
  db.close()
  new Database(to).close()
  return new TaskProgram(
    {
      operation: { ...copyOf('FROM', 'TO', 'done'), rate: 4000 },
      stores: [
        { name: 'FROM', url: `sqlite:///${from}` },
        { name: 'TO', url: `sqlite:///${to}` },
      ],
      commandLine: 'sluice copy',
      sharedRun: '1',
      rested: { times: 0, cause: null },
      tool: 'test',
      actor: 'test',
      host: 'test',
    },
    honoured,
  )
}

test('a rate that is divided before a task begins replaces the one in its order', async () => {
  const program = taskOf('rate', { wishes: { rate: 4000 }, among: 1 })
  const events: Event[] = []
  program.onEvent = (event) => void events.push(event)
  // Both are in the pipe before the program reads from it.
  program.applyRequests({ wishes: { rate: 4000 }, among: 4 })

  const { exitCode, error } = await program.done

  expect(error).toBeUndefined()
  expect(exitCode).toBe(0)
  const rates = events.flatMap((event) => (event.type === 'run.steered' ? [event.rate] : []))
  expect(rates).toEqual(['4000', '1000'])
})

test.each([
  ['resume', 0],
  ['stop', 75],
])('a task of a paused run begins nothing before a %s', async (then, expected) => {
  const program = taskOf(then, { wishes: { held: true }, among: 1 })
  const types: string[] = []
  program.onEvent = ({ type }) => void types.push(type)
  await sleep(4000)
  expect(types).toEqual([])
  // A program that waits still replies.
  program.ask()
  program.applyRequests({ wishes: then === 'stop' ? { held: true, stop: true } : { held: false }, among: 1 })

  expect((await program.done).exitCode).toBe(expected)
  expect(program.isLate).toBe(false)
})
