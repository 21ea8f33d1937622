import { expect, test } from 'vitest'
import { QueueContact } from '../../src/app/share/queue-contact.ts'
import { SluiceError } from '../../src/shared/errors.ts'

test('two alternating causes are logged once each, until the queue is reachable again', () => {
  const lines: string[] = []
  const contact = new QueueContact(
    { ticks: () => 0 },
    [],
    (_level, message) => lines.push(message),
    () => undefined,
  )
  const gone = (table: string): SluiceError => new SluiceError('TARGET_IO', `${table} does not exist`)
  for (let i = 0; i < 3; i++) for (const table of ['sluice_workers', 'sluice_runs']) contact.failed(gone(table))
  expect(lines).toHaveLength(2)
  expect(contact.isReached).toBe(false)
  contact.wrote()
  contact.wrote()
  expect(lines.slice(2)).toEqual(['the queue can be reached again'])
  contact.failed(gone('sluice_runs'))
  expect(lines).toHaveLength(4)
})
