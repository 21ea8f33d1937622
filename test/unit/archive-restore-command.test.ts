/** The command that restores a partition, as hints print it. */
import { expect, test } from 'vitest'
import { restoreCommand } from '../../src/archive/steps/refusals.ts'

test.each([
  ['2024-Q1', 'sluice restore --table rides --partition 2024-Q1 --dry-run'],
  ['-x', 'sluice restore --table rides --partition=-x --dry-run'],
  ['"eu "', `sluice restore --table rides --partition '"eu "' --dry-run`],
  [`--it's`, String.raw`sluice restore --table rides '--partition=--it'\''s' --dry-run`],
])('of %s', (label, command) => {
  expect(restoreCommand('rides', { label }, '--dry-run')).toBe(command)
})
