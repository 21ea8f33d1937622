/** Commands that runs print can be pasted into a shell unchanged, and do what is documented. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '..', '..')
const bin = path.join(root, 'dist', 'cli', 'bin.js')
let folder = ''

const shell = (line: string): Promise<{ readonly code: number; readonly text: string }> =>
  new Promise((done) => {
    const env = { ...process.env, CI: '', XDG_STATE_HOME: path.join(folder, 'state'), SLUICE_PROGRAM: 'sluice' }
    const bash = `sluice() { '${process.execPath}' '${bin}' "$@"; }; ${line}`
    const child = execFile('bash', ['-c', bash], { cwd: folder, env }, (_error, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, text: stdout + stderr }),
    )
  })

const rows = (file: string): unknown[] => {
  const db = new Database(path.join(folder, file), { readonly: true })
  try {
    return db.prepare('SELECT id, v FROM t ORDER BY id').raw().all()
  } finally {
    db.close()
  }
}

const make = (file: string, sql: string): void => {
  const db = new Database(path.join(folder, file))
  db.exec(sql)
  db.close()
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-pasted-'))
  writeFileSync(path.join(folder, 'stores.yaml'), 'stores:\n  here: sqlite:///a.db\n  there: sqlite:///b.db\n')
  make('a.db', "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
  make('b.db', "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'old')")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('a repair prints the command that undoes it, with source and target', { timeout: 60_000 }, async () => {
  const before = rows('b.db')
  const fixed = await shell('sluice diff --from here --to there --config stores.yaml --table t --fix')
  expect(fixed.text).toMatch(/sluice diff --undo \d+ /)
  expect(rows('b.db')).toEqual(rows('a.db'))
  const [undo = ''] = /sluice diff --undo \d+(?: --\S+ \S+)*/.exec(fixed.text) ?? []
  expect(undo).toContain('--to there')
  const back = await shell(undo)
  expect(back.code, back.text).toBe(0)
  expect(rows('b.db')).toEqual(before)
})

it('quarantined rows are retried by the printed command', { timeout: 60_000 }, async () => {
  make('c.db', "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'y'))")
  const copied = await shell(
    'sluice copy --from here --to sqlite:///c.db --config stores.yaml --table t --on-existing upsert',
  )
  const commands = [...copied.text.matchAll(/sluice quarantine retry(?: \d+)?(?: --\S+ \S+)*/g)].map(([one]) => one)
  expect(commands.length, copied.text).toBeGreaterThan(0)
  for (const command of commands) {
    expect(command).toContain('--to sqlite:///c.db')
    const again = await shell(command)
    // The target refuses them again with the same cause: no option is missing in the command.
    expect(again.code, `${command}\n${again.text}`).toBe(1)
  }
})
