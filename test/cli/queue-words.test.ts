/** Printed commands of a distributed run: they name the queue and can be pasted. */
import { expect, test } from 'vitest'
import { commandLine } from '../../src/cli/parse/command-line.ts'
import { queueFlagsOf } from '../../src/cli/runs/distributed.ts'

const QUEUE = 'postgresql://ann:hush@host/queue'
const COPY = ['copy', '--from', 'a.db', '--to', 'b.db', '--table', 'orders', '--distributed', '--tasks', '4']

test.each([
  ['none where the file of this folder names it', [], ''],
  ['a URL without its password', ['--connect', QUEUE], ' --connect postgresql://ann@host/queue'],
  ['by one word', [`--connect=${QUEUE}`], ' --connect=postgresql://ann@host/queue'],
  [
    'a name of the file that was told',
    ['--connect', 'jobs', '--config', 'my stores.yaml'],
    " --connect jobs --config 'my stores.yaml'",
  ],
])('options of the queue: %s', (_name, words, expected) => {
  expect(queueFlagsOf([...COPY, ...words], ['hush'], {})).toBe(expected)
})

test('a URL from a variable is printed as the variable', () => {
  expect(queueFlagsOf([...COPY, '--connect', QUEUE], ['hush'], { QUEUE })).toBe(' --connect "$QUEUE"')
})

test('a printed copy has no queue options, but the list of distributed runs has them', () => {
  const whole = (argv: readonly string[]): string => commandLine(argv, null, ['hush'], { env: { QUEUE } })
  expect(whole([...COPY, '--connect', QUEUE])).toBe('sluice copy --from a.db --to b.db --table orders')
  expect(whole(['runs', '--distributed', '--connect', QUEUE])).toBe('sluice runs --distributed --connect "$QUEUE"')
})
