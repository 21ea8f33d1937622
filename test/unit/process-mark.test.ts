import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { thisProcess, type ProcessProbe } from '../../src/shared/owner.ts'
import { isLeftover, isUnmarkedLeftover, MARK, ownMark } from '../../src/shared/process-mark.ts'
import { removeLeftovers } from '../../src/stores/duckdb/file-claim.ts'

const DAY_MS = 86_400_000
const NEVER_THERE = 2 ** 22 + 1
const here = thisProcess()
const own = (): readonly string[] => new RegExp(MARK).exec(ownMark())?.slice(1) ?? []
const tag = own()[0] ?? ''
const nobody: ProcessProbe = { isAlive: () => false, startOf: () => null }

test('a mark is abandoned if its process ran on this machine and has ended', () => {
  expect(own()).toHaveLength(3)
  expect(isLeftover(own(), Date.now())).toBe(false)
  expect(isLeftover([tag, String(NEVER_THERE), '5'], Date.now())).toBe(true)
  expect(isLeftover(own(), Date.now(), here, nobody)).toBe(true)
})

test.skipIf(here.started === null)(
  'the mark of a process with the same PID and another start time is abandoned',
  () => {
    expect(isLeftover([tag, String(process.pid), `${here.started ?? ''}7`], Date.now())).toBe(true)
  },
)

test('the mark of another machine is abandoned after days, whatever process has its PID here', () => {
  for (const pid of [process.pid, NEVER_THERE]) {
    expect(isLeftover(['00000000', String(pid), '5'], Date.now())).toBe(false)
    expect(isLeftover(['00000000', String(pid), '5'], Date.now() - 8 * DAY_MS)).toBe(true)
  }
})

test('without a start time, a mark with this PID that is older than this process is abandoned', () => {
  const blind = { ...here, started: null }
  expect(isLeftover([tag, String(process.pid), '0'], Date.now(), blind)).toBe(false)
  expect(isLeftover([tag, String(process.pid), '0'], Date.now() - DAY_MS, blind)).toBe(true)
})

test('an unmarked name is abandoned if its process is not running and it was not touched for an hour', () => {
  expect(isUnmarkedLeftover(NEVER_THERE, Date.now())).toBe(false)
  expect(isUnmarkedLeftover(NEVER_THERE, Date.now() - DAY_MS)).toBe(true)
  expect(isUnmarkedLeftover(1, Date.now() - DAY_MS)).toBe(false)
})

test('claims on a DuckDB file are removed only if their programs have ended', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mark-'))
  const long = new Date(Date.now() - DAY_MS)
  const names = { gone: `c-${tag}-${NEVER_THERE}-5`, old: `c-${NEVER_THERE}`, ours: `c-${ownMark()}`, far: `c-00000000-${NEVER_THERE}-5`, other: 'c-x', another: `d-${NEVER_THERE}` } // prettier-ignore
  for (const name of Object.values(names)) {
    writeFileSync(join(folder, name), '')
    utimesSync(join(folder, name), long, long)
  }
  removeLeftovers(folder, 'c-')
  expect(readdirSync(folder).toSorted()).toEqual([names.ours, names.far, names.other, names.another].toSorted())
  rmSync(folder, { recursive: true })
})
