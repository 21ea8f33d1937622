import { expect, test } from 'vitest'
import { lackingStatements } from '../../src/stores/postgresql/partition/plan/lacking.ts'
import type { CopySession } from '../../src/stores/postgresql/server/session.ts'

test('the table of a foreign key is read whole, also if its name has brackets, blanks or quotes', async () => {
  const asked: string[] = []
  const session = {
    texts: async () => [],
    isTrue: async (query: string) => {
      asked.push(query)
      return true
    },
  } as unknown as CopySession
  const names = ['public.plain', '"a (b) c"."d ""(e"', 'public."f (g"']
  const late = names.map((name) => `ALTER TABLE public.t ADD CONSTRAINT "k" FOREIGN KEY (id) REFERENCES ${name}(id)`)
  expect(await lackingStatements(session, { schema: 'public', name: 't' }, late)).toEqual(late)
  expect(asked).toEqual(names.map((name) => `SELECT pg_catalog.to_regclass('${name}') IS NOT NULL`))
})
