/** The program of one task, as its worker starts and steers it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { copyOf } from '../support/half-done/copies.ts'
import { afterAll, expect, test } from 'vitest'
import { TaskProgram } from '../../src/app/share/task-program.ts'
import type { Event } from '../../src/model/run/event.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-slot-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a rate that is divided before a task begins replaces the one in its order', async () => {
  const [from, to] = ['from', 'to'].map((name) => path.join(folder, `${name}.db`))
  const db = new Database(from)
  db.exec('CREATE TABLE done (id INTEGER PRIMARY KEY, v TEXT)')
  db.close()
  new Database(to).close()
  const program = new TaskProgram(
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
    { wishes: { rate: 4000 }, among: 1 },
  )
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
