/** Lists of runs print no destructive command with its confirmation. */
import { expect, test } from 'vitest'
import { followUpCommand } from '../../src/app/live/follow-up.ts'
import type { MachineRun } from '../../src/app/workbench.ts'
import { shellQuote } from '../../src/shared/shell.ts'

const run = (given: Partial<MachineRun>): MachineRun => ({
  run: '1',
  kind: 'rollback',
  commandLine: 'sluice rollback',
  folder: null,
  source: null,
  target: null,
  about: '',
  begunAt: 0,
  host: null,
  state: 'ended',
  canJoin: false,
  end: null,
  doneBy: null,
  ...given,
})
const ended = (resumeCommand: string | null): MachineRun =>
  run({ end: { endedAt: 1, status: 'ok', exitCode: 0, totals: {}, resumeCommand, error: null } })

test('a successful dry run of a rollback offers the rollback without --confirm', () => {
  const offered = 'cd /data && sluice rollback orders --database-url sqlite:///c.db --confirm=orders -- orders'
  expect(followUpCommand(ended(offered))).toBe(
    'cd /data && sluice rollback orders --database-url sqlite:///c.db -- orders',
  )
})

test.each(['orders', 'a b', "it's", 'say --confirm=x', '-- ', "'"])(
  'a confirmation with any quotes is removed: %s',
  (name) => {
    for (const flag of [
      `--confirm=${shellQuote(name)}`,
      `--confirm ${shellQuote(name)}`,
      shellQuote(`--confirm=${name}`),
    ])
      expect(followUpCommand(run({ state: 'broken off', commandLine: `sluice archive run ${flag} --drop` }))).toBe(
        'sluice archive run --drop',
      )
  },
)

test('a run that is finished, or that a later run finished, offers no command', () => {
  expect(followUpCommand(ended(null))).toBeNull()
  expect(followUpCommand({ ...ended('sluice rollback'), doneBy: '2' })).toBeNull()
})
