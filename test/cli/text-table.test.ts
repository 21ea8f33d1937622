/** Tables of listings: complete in a pipe, and no wider than the terminal. */
import { expect, it } from 'vitest'
import type { EventBody } from '../../src/model/run/event.ts'
import { cells } from '../../src/render/cells.ts'
import { textFrontend } from '../../src/cli/output/render-text.ts'
import { Memory } from './surroundings.ts'
import { openOutput } from '../../src/cli/output/output.ts'

const COMMAND =
  "cd '/home/somebody/work/of a project' && sluice copy --from=sqlite:///shop.db --to=duckdb:///archive.duckdb --table=orders"
const run = (no: number): EventBody => ({
  type: 'run',
  run: `176362515100000000${no}`,
  command: 'import',
  table: `analytics_with_a_long_name-${no}/table-${'x'.repeat(30)}-1a2b3c4d`,
  status: no === 1 ? 'in_progress' : 'completed',
  version: '1841',
  behind: '0',
  filesProcessed: '300000',
  startedAt: '2026-11-20T11:59:00.000Z',
  completedAt: '2026-11-20T11:59:11.000Z',
})

/** Text on stdout. @param room width of its terminal in cells; absent for a pipe */
function listed(command: string, bodies: readonly EventBody[], room?: number): readonly string[] {
  const stdout = new Memory()
  const face = textFrontend(openOutput(stdout, new Memory()), {
    quiet: false,
    verbose: false,
    color: false,
    github: false,
    redact: (text) => text,
    ...(room === undefined ? {} : { room }),
  })
  const all = [{ type: 'run.started', command, tool: '1' } as const, ...bodies, ENDED]
  for (const [index, body] of all.entries())
    face.event({ v: 1, seq: index + 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', ...body }, false)
  return stdout.text.trimEnd().split('\n')
}
const ENDED = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 } as const

const HERE: readonly EventBody[] = [
  { type: 'columns', columns: ['run', 'status', 'exit', 'command', 'about', 'started', 'ended', 'goes on by'] },
  ...[1, 2].map((no): EventBody => ({
    type: 'row',
    values: [
      `176362515100000000${no}`,
      no === 1 ? 'live' : 'stopped',
      no === 1 ? null : 75,
      'copy',
      'public.coordinate_speed_new, public.events, public.invoices',
      '2026-11-20T11:59:00.123Z',
      no === 1 ? null : '2026-11-20T11:59:11.123Z',
      no === 1 ? 'sluice attach 1763625151000000001' : COMMAND,
    ],
  })),
]

it.each([80, 100, 120, 200])('lists of runs fit into %i columns', (room) => {
  for (const lines of [listed('migration-status', [run(1), run(2)], room), listed('runs', HERE, room)]) {
    // A command is never shortened, so that it can be pasted.
    const commands = lines.filter((line) => /^ {4}goes on by {2}/.test(line))
    const rows = lines.filter((line) => !commands.includes(line))
    expect(rows.filter((line) => cells(line) > room)).toEqual([])
    // Ids and states are never shortened, and a note reports that values are.
    for (const no of [1, 2]) expect(rows[no]).toContain(`176362515100000000${no}`)
    expect(rows[1]).toMatch(/in_progress|live /)
    expect(rows.length === 4 ? rows[3] : 'whole').toMatch(/shortened to \d+ columns; a wider terminal or --json|whole/)
    if (commands.length > 0)
      expect(commands.map((line) => line.trim().replace('goes on by  ', ''))).toEqual([
        'sluice attach 1763625151000000001',
        COMMAND,
      ])
    else expect(lines.join('\n')).toMatch(/in_progress|cd '/)
  }
})

it('a pipe gets complete values', () => {
  const lines = listed('runs', HERE).join('\n')
  expect(lines).toContain(COMMAND)
  expect(lines).toContain('public.coordinate_speed_new, public.events, public.invoices')
  const status = listed('migration-status', [run(1)]).join('\n')
  expect(status).toContain(`table-${'x'.repeat(30)}-1a2b3c4d`)
  expect(status).toContain('FILES IMPORTED')
  expect(listed('runs', HERE, 400).join('\n')).toBe(lines)
})

it('values of a query are complete in any terminal', () => {
  const row: EventBody = { type: 'row', values: ['x'.repeat(300)] }
  expect(listed('sql', [{ type: 'columns', columns: ['text'] }, row], 80)[1]).toBe('x'.repeat(300))
})
