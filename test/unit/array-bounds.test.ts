/** Cassandra has no form for arrays with explicit bounds. */
import { expect, test } from 'vitest'
import { cassandraEncoder } from '../../src/stores/cassandra/copy/encode.ts'
import type { CqlType } from '../../src/stores/cassandra/copy/types.ts'

const TEXT: CqlType = { kind: 'simple', name: 'text' }

test.each<[string, CqlType]>([
  ['a text', TEXT],
  ['a list', { kind: 'list', of: TEXT, frozen: true }],
])('%s of Cassandra takes a list, and refuses an array with explicit bounds', (_, type) => {
  const encode = cassandraEncoder(type, { kind: 'list', of: { kind: 'text' } })
  expect(encode('["a"]')).toBeInstanceOf(Buffer)
  expect(() => encode('[0:1]={a,b}')).toThrow('cannot store the bounds of this array: [0:1]={a,b}')
})
