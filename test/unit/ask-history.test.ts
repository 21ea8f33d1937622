import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { AskHistory } from '../../src/app/ask/history.ts'
import type { AskedStatement } from '../../src/app/ask/port.ts'
import { pathsThatBegin } from '../../src/app/ask/save.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const asked = (sql: string): AskedStatement => ({
  at: '2026-11-20T12:00:00.000Z',
  place: { kind: 'archive', url: 'postgresql://app@db/tracks', table: 'events' },
  sql,
})

test('the history file is for its user alone, and statements with a password are not stored', async () => {
  const file = join(folder, 'state', 'asked.jsonl')
  const history = new AskHistory(file)
  expect(await history.read()).toEqual([])
  const kept = await Promise.all([
    history.add(asked('select 1')),
    history.add(asked("select 'a\nb'")),
    history.add(asked("create user x identified by 'hunter2'")),
    history.add(asked("select dblink('postgresql://app:hunter2@db/x', 'select 1')")),
  ])
  expect(kept).toEqual([true, true, false, false])
  expect(await history.read()).toEqual([asked('select 1'), asked("select 'a\nb'")])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file, 'utf8')).not.toContain('hunter2')
})

test('the file is bounded and keeps the newest statements, and an unreadable line hides no other', async () => {
  const file = join(folder, 'asked.jsonl')
  const history = new AskHistory(file)
  for (let i = 0; i < 120; i++) await history.add(asked(`select ${i}, '${'x'.repeat(90_000)}'`))
  expect(statSync(file).size).toBeLessThan(5 << 20)
  expect((await history.read()).at(-1)?.sql.slice(0, 12)).toBe('select 119, ')
  appendFileSync(file, '{"at":"2026"\nnull\n')
  await history.add(asked('select 8'))
  expect((await history.read()).at(-1)).toEqual(asked('select 8'))
})

test('if the state folder cannot be written, only the history is lost', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  expect(await new AskHistory(join(file, 'asked.jsonl')).add(asked('select 1'))).toBe(false)
})

test('paths are completed with the prefix as it was typed', async () => {
  expect(await pathsThatBegin(`${folder}/st`)).toEqual([`${folder}/state/`])
  expect(await pathsThatBegin(`${folder}/state/`)).toEqual([`${folder}/state/asked.jsonl`])
  expect(await pathsThatBegin('/no/such/folder')).toEqual([])
})
