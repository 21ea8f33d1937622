/** Finds what readers on delta-kernel refuse in a table's schema; sluice and older readers read such a table. */
import type { ProtocolAction } from '../actions.ts'
import type { DeltaType, PrimitiveName, StructType } from '../schema.ts'
import type { Finding } from './finding.ts'

/** Reader features of a type, the final name first (PROTOCOL.md, "Timestamp without timezone", "Variant Data Type"). */
const FEATURES: Readonly<Partial<Record<PrimitiveName, readonly [string, ...string[]]>>> = {
  timestamp_ntz: ['timestampNtz', 'timestampWithoutTimezone'],
  variant: ['variantType', 'variantType-preview'],
}

/**
 * @param protocol of the same version
 * @returns a finding for each column whose name differs from another one only in case, and for each type whose feature
 * the protocol lacks
 */
export function schemaRefusals(schema: StructType, { readerFeatures }: ProtocolAction): readonly Finding[] {
  const details: string[] = []
  const visit = (type: DeltaType, path: string): void => {
    if (type.kind === 'array') visit(type.element, `${path}.element`)
    if (type.kind === 'map') {
      visit(type.key, `${path}.key`)
      visit(type.value, `${path}.value`)
    }
    if (type.kind === 'primitive') {
      const needed = FEATURES[type.name]
      if (needed !== undefined && !needed.some((name) => readerFeatures?.includes(name) === true))
        details.push(`column ${path} is ${type.name}, and the protocol lacks the reader feature ${needed[0]}`)
    }
    if (type.kind !== 'struct') return
    const known = new Map<string, string>()
    for (const field of type.fields) {
      const own = path === '' ? field.name : `${path}.${field.name}`
      const folded = field.name.toLowerCase()
      const other = known.get(folded)
      if (other === undefined) known.set(folded, own)
      else details.push(`columns ${other} and ${own} differ only in case`)
      visit(field.type, own)
    }
  }
  visit(schema, '')
  return details.map((detail) => ({ level: 'finding', kind: 'schema-refused', detail }))
}
