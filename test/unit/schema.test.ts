import { describe, expect, it } from 'vitest'
import { columnMappingMode, leafColumns, parseSchema, schemaOf, typeText } from '../../src/delta/schema.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { commitLines, haveTables } from '../support/real-logs.ts'

const struct = (...fields: readonly unknown[]) => ({ type: 'struct', fields })
const field = (name: string, type: unknown, metadata: object = {}, nullable = true) => ({
  name,
  type,
  nullable,
  metadata,
})
const parse = (schema: unknown) => parseSchema(JSON.stringify(schema))

describe('parseSchema', () => {
  it('knows every primitive type', () => {
    const names =
      'byte short integer long float double string binary boolean date timestamp timestamp_ntz variant void'.split(' ')
    const schema = parse(struct(...names.map((name) => field(name, name))))
    expect(schema.fields.map(({ type }) => type)).toEqual(names.map((name) => ({ kind: 'primitive', name })))
  })

  it('reads decimals, and keeps what it does not know', () => {
    const schema = parse(
      struct(
        field('a', 'decimal(10,2)'),
        field('b', 'decimal( 38 , 18 )'),
        field('c', 'decimal'),
        field('d', 'geometry(4326)'),
      ),
    )
    expect(schema.fields.map(({ type }) => type)).toEqual([
      { kind: 'decimal', precision: 10, scale: 2 },
      { kind: 'decimal', precision: 38, scale: 18 },
      { kind: 'decimal', precision: 10, scale: 0 },
      { kind: 'unknown', name: 'geometry(4326)' },
    ])
    expect(schema.fields.map(({ type }) => typeText(type))).toEqual([
      'decimal(10,2)',
      'decimal(38,18)',
      'decimal(10,0)',
      'geometry(4326)',
    ])
  })

  it('reads structs, arrays, maps and user-defined types', () => {
    const array = { type: 'array', elementType: 'string', containsNull: false }
    const map = {
      type: 'map',
      keyType: 'string',
      valueType: struct(field('x', array, {}, false)),
      valueContainsNull: true,
    }
    const udt = {
      type: 'udt',
      class: 'org.apache.spark.ml.linalg.VectorUDT',
      sqlType: struct(field('size', 'integer')),
    }
    const schema = parse(struct(field('s', struct(field('m', map))), field('v', udt)))
    expect(typeText(schema)).toBe(
      'struct<s: struct<m: map<string, struct<x: array<string>>>>, v: struct<size: integer>>',
    )
    expect(leafColumns(schema).map(({ path, type }) => [path.join('.'), type.kind])).toEqual([
      ['s.m', 'map'],
      ['v.size', 'primitive'],
    ])
  })

  it('takes physical names and ids where column mapping is on', () => {
    const mapped = (name: string, id: number, type: unknown) =>
      field(name, type, { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': `col-${id}` })
    const schemaString = JSON.stringify(struct(mapped('a', 1, struct(mapped('b', 2, 'long'))), field('c', 'long')))
    const configuration = { 'delta.columnMapping.mode': 'name' }
    const on = schemaOf({ minReaderVersion: 2 }, { schemaString, configuration })
    expect(leafColumns(on).map(({ path, physicalPath, field: { id } }) => [path, physicalPath, id])).toEqual([
      [['a', 'b'], ['col-1', 'col-2'], 2],
      [['c'], ['c'], null],
    ])
    const off = schemaOf({ minReaderVersion: 1 }, { schemaString, configuration })
    expect(leafColumns(off)[0]?.physicalPath).toEqual(['a', 'b'])
    expect(off.fields[0]?.id).toBeNull()
    expect(columnMappingMode({ minReaderVersion: 3, readerFeatures: ['columnMapping'] }, { configuration })).toBe(
      'name',
    )
    expect(columnMappingMode({ minReaderVersion: 3, readerFeatures: [] }, { configuration })).toBe('none')
    expect(columnMappingMode({ minReaderVersion: 2 }, { configuration: {} })).toBe('none')
  })

  it('reads type changes', () => {
    const changes = [
      { toType: 'long', fromType: 'byte', tableVersion: 2 },
      { toType: 'decimal(20,5)', fromType: 'decimal(10,2)', fieldPath: 'element' },
    ]
    const schema = parse(struct(field('a', 'long', { 'delta.typeChanges': changes })))
    expect(
      schema.fields[0]?.typeChanges.map(({ from, to, fieldPath }) => [typeText(from), typeText(to), fieldPath]),
    ).toEqual([
      ['byte', 'long', null],
      ['decimal(10,2)', 'decimal(20,5)', 'element'],
    ])
  })

  it.each([
    ['no JSON', 'struct<a>'],
    ['empty text', ''],
    ['a primitive at the top', '"string"'],
    ['null', 'null'],
    ['a struct without fields', '{"type":"struct"}'],
    ['a field without a name', '{"type":"struct","fields":[{"type":"long"}]}'],
    ['a field without a type', '{"type":"struct","fields":[{"name":"a"}]}'],
    ['an unknown nested type', '{"type":"struct","fields":[{"name":"a","type":{"type":"tuple"}}]}'],
    ['an array without elements', '{"type":"struct","fields":[{"name":"a","type":{"type":"array"}}]}'],
    ['types without end', '{"type":"array","elementType":'.repeat(2000) + '"long"' + '}'.repeat(2000)],
  ])('refuses %s', (_, text) => {
    const attempt = () => parseSchema(text)
    expect(attempt).toThrow(SluiceError)
    expect(attempt).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA', reason: expect.any(String) as string }))
  })

  it('reads a missing schema as no columns', () => {
    expect(parseSchema(null)).toEqual({ kind: 'struct', fields: [] })
  })

  it('says which field is wrong', () => {
    const broken = struct(field('a', struct(field('b', { type: 'array', elementType: { type: 'what' } }))))
    expect(() => parse(broken)).toThrow(
      expect.objectContaining({ reason: 'the type of the elements of "b" in "a" is "what"' }),
    )
  })

  it.skipIf(!haveTables)('reads the schemas of the real tables', () => {
    const kinds = new Set<string>()
    let schemas = 0
    for (const { line } of commitLines()) {
      if (!line.metaData) continue
      schemas++
      const { schemaString = null, configuration = {} } = line.metaData
      const schema = schemaOf({ minReaderVersion: 2 }, { schemaString, configuration })
      for (const { type } of leafColumns(schema)) {
        kinds.add(type.kind)
        expect(type.kind).not.toBe('unknown')
      }
    }
    expect(schemas).toBeGreaterThan(150)
    expect([...kinds].toSorted()).toEqual(['array', 'decimal', 'map', 'primitive'])
  })
})
