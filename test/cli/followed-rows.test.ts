/** `diff --run`: which rows of a followed table a command line selects, and what it refuses. */
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const TO = ['diff', '--to', 'postgresql://me@new/app']
const RUN = [...TO, '--run', '17']

async function asked(argv: readonly string[]): Promise<unknown> {
  const { request } = await parseCommandLine(argv, {})
  return request.kind === 'operation' ? request.operation : request
}

async function refused(argv: readonly string[]): Promise<string> {
  const error: unknown = await parseCommandLine(argv, {}).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return error instanceof SluiceError ? `${error.code} ${error.message}` : String(error)
}

describe('rows of a followed table', () => {
  const more = { kind: 'diff-followed', stream: '17', to: 'postgresql://me@new/app', limit: 100 }

  it.each([
    [['--key', '4711', '--key', '["a,b","c"]'], { by: 'key', keys: ['4711', '["a,b","c"]'] }],
    [['--key=-5'], { by: 'key', keys: ['-5'] }],
    [['--range', '100..200'], { by: 'range', low: '100', high: '200' }],
    [['--range=-5..-1'], { by: 'range', low: '-5', high: '-1' }],
    [['--partition', 'orders_2026'], { by: 'partition', name: 'orders_2026' }],
  ])('are selected by %j', async (words, scope) => {
    expect(await asked([...RUN, '--fix', ...words])).toEqual({ ...more, scope, dryRun: false })
  })

  it('are compared and not changed without --fix, or with --dry-run', async () => {
    const scope = { by: 'key', keys: ['1'] }
    const from = ['--from', 'postgresql://me@old/app', '--table', 'public.t', '--key', '1']
    const look = { ...more, from: 'postgresql://me@old/app', table: 'public.t', scope, dryRun: true }
    expect(await asked([...RUN, ...from])).toEqual(look)
    expect(await asked([...RUN, ...from, '--fix', '-n'])).toEqual(look)
  })

  it.each([
    [[...RUN, '--fix'], 'BAD_FLAG the rows to compare are not given'],
    [[...RUN, '--key', '1', '--range', '1..2'], 'BAD_FLAG only one of --key, --range and --partition can be given'],
    [[...RUN, '--range', '1-2'], 'BAD_FLAG --range 1-2 is not a range'],
    [[...RUN, '--range', '1..2..3'], 'BAD_FLAG --range 1..2..3 is not a range'],
    [[...RUN, '--key', '1', '--where', 'x'], 'BAD_FLAG --where cannot be combined with --run'],
    [[...RUN, '--key', '1', '--fix', '--delete-extra'], 'BAD_FLAG --delete-extra cannot be combined with --run'],
    [[...RUN, '--key', '1', '--table', 'a', '--table', 'b'], 'BAD_FLAG --table is given more than once'],
    [[...TO, '--run', 'mine', '--key', '1'], 'BAD_FLAG --run mine is not the id of a run'],
    [[...TO, '--range', '1..2', '--table', 't'], 'BAD_FLAG --range requires --run'],
    [[...TO, '--dry-run', '--table', 't'], 'BAD_FLAG --dry-run requires --run'],
  ])('are refused for %j', async (words, error) => {
    expect(await refused(words)).toBe(error)
  })
})
