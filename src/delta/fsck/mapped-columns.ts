/** Checks the column mapping of a schema (PROTOCOL.md, "Column Mapping"): each field has its own id and physical name. */
import { isObject, type JsonObject } from '../action-fields.ts'

const ID = 'delta.columnMapping.id'
const PHYSICAL = 'delta.columnMapping.physicalName'

/** @param metadata of a commit, as it is written @returns what is wrong; empty if columns are not mapped */
export function mappingFaults({ schemaString, configuration }: JsonObject): readonly string[] {
  const mode = isObject(configuration) ? configuration['delta.columnMapping.mode'] : undefined
  if ((mode !== 'name' && mode !== 'id') || typeof schemaString !== 'string') return []
  const ids = new Map<unknown, string>()
  const faults: string[] = []
  const visit = (type: unknown, place: string): void => {
    if (!isObject(type)) return
    visit(type['elementType'], `${place}.element`)
    visit(type['keyType'], `${place}.key`)
    visit(type['valueType'], `${place}.value`)
    const names = new Map<unknown, string>()
    for (const field of Array.isArray(type['fields']) ? type['fields'].filter(isObject) : []) {
      const path = `${place}.${String(field['name'])}`.replace(/^\./, '')
      const mapped = isObject(field['metadata']) ? field['metadata'] : {}
      for (const [key, known] of [[ID, ids] as const, [PHYSICAL, names] as const]) {
        const value = mapped[key]
        const other = known.get(value)
        if (value === undefined || value === null) faults.push(`column ${path} has no ${key}`)
        else if (other === undefined) known.set(value, path)
        else faults.push(`columns ${other} and ${path} have one ${key}`)
      }
      visit(field['type'], path)
    }
  }
  visit(JSON.parse(schemaString), '')
  return faults
}
