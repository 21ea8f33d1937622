/** What a run that is left to workers says next: commands that find the queue again, as they can be pasted. */
import { expect, test } from 'vitest'
import { commandLine } from '../../src/cli/command-line.ts'
import { queueWords } from '../../src/cli/distributed.ts'

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
])('words of the queue: %s', (_name, words, expected) => {
  expect(queueWords([...COPY, ...words], ['hush'], {})).toBe(expected)
})

test('the variable that a URL came from', () => {
  expect(queueWords([...COPY, '--connect', QUEUE], ['hush'], { QUEUE })).toBe(' --connect "$QUEUE"')
})

test('a copy is the same without workers, the list of their runs is not', () => {
  const whole = (argv: readonly string[]): string => commandLine(argv, null, ['hush'], { env: { QUEUE } })
  expect(whole([...COPY, '--connect', QUEUE])).toBe('sluice copy --from a.db --to b.db --table orders')
  expect(whole(['runs', '--distributed', '--connect', QUEUE])).toBe('sluice runs --distributed --connect "$QUEUE"')
})
