/**
 * Zod schemas of declared TypeScript types, read from the source, so that type and schema cannot differ. Supports the
 * types of documents and events: objects, lists, tuples, unions and literals, and the scalars of the model, which are
 * stricter than `string` and `number`.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync } from 'oxc-parser'
import type { Expression, TSType, TSTypeName, TSTypeReference } from 'oxc-parser'
import { z } from 'zod'
import { SYSTEMS } from '../../src/stores/systems.ts'

type Module = {
  readonly file: string
  readonly types: Map<string, TSType>
  readonly values: Map<string, Expression>
  /** Local name to the file and name that it is imported from. */
  readonly imports: Map<string, { readonly file: string; readonly name: string }>
}

const whole = (least?: number, most?: number): z.ZodType => {
  const from = least === undefined ? z.int() : z.int().min(least)
  return most === undefined ? from : from.max(most)
}

/** Types of src/model/run/dec.ts. */
const SCALARS: Readonly<Record<string, (...bounds: readonly (number | undefined)[]) => z.ZodType>> = {
  Dec: () =>
    z
      .string()
      .regex(/^-?\d+$/)
      .meta({ description: 'decimal integer as text' }),
  Factor: () => z.number().min(1),
  FileSystemName: () => z.enum(SYSTEMS.flatMap(({ name, file }) => (file === undefined ? [] : [name]))),
  Int: whole,
  Ms: () => z.number().min(0),
  Time: () => z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/),
}

const modules = new Map<string, Module>()

/** The schema of a type that a file declares or re-exports. */
export function schemaOfType(file: string, name: string): z.ZodType {
  const module = moduleOf(path.resolve(file))
  const type = module.types.get(name)
  if (type !== undefined) return schemaOf(type, module)
  const from = module.imports.get(name)
  if (from === undefined) throw new Error(`${file} has no type ${name}`)
  return schemaOfType(from.file, from.name)
}

/** The schema as JSON, with this title at the top. */
export function jsonSchemaOf(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12' })
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`
}

function moduleOf(file: string): Module {
  const known = modules.get(file)
  if (known !== undefined) return known
  const module: Module = { file, types: new Map(), values: new Map(), imports: new Map() }
  modules.set(file, module)
  const beside = (source: string): string => path.resolve(path.dirname(file), source)
  for (const statement of parseSync(file, readFileSync(file, 'utf8')).program.body) {
    if (statement.type === 'ImportDeclaration') {
      for (const one of statement.specifiers)
        if (one.type === 'ImportSpecifier' && one.imported.type === 'Identifier')
          module.imports.set(one.local.name, { file: beside(statement.source.value), name: one.imported.name })
      continue
    }
    const isExport = statement.type === 'ExportNamedDeclaration'
    if (isExport && statement.source !== null)
      for (const { local, exported } of statement.specifiers)
        if (local.type === 'Identifier' && exported.type === 'Identifier')
          module.imports.set(exported.name, { file: beside(statement.source.value), name: local.name })
    const declared = isExport ? statement.declaration : statement
    if (declared?.type === 'TSTypeAliasDeclaration') module.types.set(declared.id.name, declared.typeAnnotation)
    if (declared?.type === 'VariableDeclaration')
      for (const { id, init } of declared.declarations)
        if (id.type === 'Identifier' && init !== null) module.values.set(id.name, init)
  }
  return module
}

function schemaOf(type: TSType, module: Module): z.ZodType {
  const of = (one: TSType): z.ZodType => schemaOf(one, module)
  switch (type.type) {
    case 'TSStringKeyword':
      return z.string()
    case 'TSNumberKeyword':
      return z.number()
    case 'TSBooleanKeyword':
      return z.boolean()
    case 'TSNullKeyword':
      return z.null()
    case 'TSParenthesizedType':
      return of(type.typeAnnotation)
    case 'TSLiteralType':
      if (type.literal.type !== 'Literal') break
      return z.literal(type.literal.value as string | number | boolean)
    case 'TSArrayType':
      return z.array(of(type.elementType))
    case 'TSTupleType':
      return z.tuple(type.elementTypes.map((one) => of(one as TSType)) as [z.ZodType, ...z.ZodType[]])
    case 'TSTypeOperator':
      if (type.operator === 'keyof') return z.enum(keysOf(type.typeAnnotation, module))
      return type.typeAnnotation.type === 'TSTupleType' ? of(type.typeAnnotation).readonly() : of(type.typeAnnotation)
    case 'TSUnionType':
      return oneOf(type.types.map(of))
    case 'TSIntersectionType':
      return oneOf(type.types.map((one) => alternatives(of(one))).reduce(both))
    case 'TSTypeLiteral': {
      const shape: Record<string, z.ZodType> = {}
      let isOpen = false
      for (const member of type.members) {
        if (member.type === 'TSIndexSignature') isOpen = true
        if (member.type !== 'TSPropertySignature' || member.key.type !== 'Identifier') continue
        const field = of(member.typeAnnotation!.typeAnnotation)
        shape[member.key.name] = member.optional ? field.optional() : field
      }
      return isOpen ? z.looseObject(shape) : z.strictObject(shape)
    }
    case 'TSIndexedAccessType': {
      if (type.indexType.type === 'TSNumberKeyword') return z.enum(keysOf(type.objectType, module))
      const fields = of(type.objectType)
      const key = of(type.indexType)
      if (fields instanceof z.ZodObject && key instanceof z.ZodLiteral)
        return fields.shape[String(key.value)] as z.ZodType
      break
    }
    case 'TSTypeReference':
      return referred(type, module)
    default:
  }
  throw new Error(`${module.file}: no schema of a ${type.type}`)
}

function referred(type: TSTypeReference, module: Module): z.ZodType {
  const name = nameOf(type.typeName)
  const given = type.typeArguments?.params ?? []
  const [first, second] = given.map((one) => () => schemaOf(one, module))
  const scalar = SCALARS[name]
  if (scalar !== undefined)
    return scalar(...given.map((_, at) => Number((schemaOf(given[at]!, module) as z.ZodLiteral).value)))
  if (first === undefined) {
    if (module.types.has(name)) return schemaOf(module.types.get(name)!, module)
    const from = module.imports.get(name)
    if (from === undefined) throw new Error(`${module.file} has no type ${name}`)
    return schemaOfType(from.file, from.name)
  }
  switch (name) {
    case 'Readonly':
      return first()
    case 'Open':
      return z.string()
    case 'Partial': {
      const fields = first()
      return fields instanceof z.ZodObject ? fields.partial() : fields
    }
    case 'Pick':
      return (first() as z.ZodObject).pick(Object.fromEntries(textsOf(second!()).map((key) => [key, true])) as never)
    case 'Record': {
      const keys = textsOf(first())
      if (keys.length === 0) return z.record(z.string(), second!())
      return z.strictObject(Object.fromEntries(keys.map((key) => [key, second!()])))
    }
    default:
      throw new Error(`${module.file}: no schema of ${name}`)
  }
}

/** Keys of a constant object, or elements of a constant list, of `typeof NAME`. */
function keysOf(type: TSType, module: Module): string[] {
  if (type.type === 'TSParenthesizedType') return keysOf(type.typeAnnotation, module)
  if (type.type !== 'TSTypeQuery') throw new Error(`${module.file}: keys of a ${type.type}`)
  const name = nameOf(type.exprName as TSTypeName)
  const from = module.imports.get(name)
  let value = (from === undefined ? module : moduleOf(from.file)).values.get(from?.name ?? name)
  while (value?.type === 'TSAsExpression' || value?.type === 'TSSatisfiesExpression') value = value.expression
  if (value?.type === 'ArrayExpression') return value.elements.map((one) => String((one as { value: unknown }).value))
  if (value?.type !== 'ObjectExpression') throw new Error(`${module.file}: ${name} has no keys`)
  return value.properties.map((one) => {
    if (one.type === 'Property' && one.key.type === 'Identifier') return one.key.name
    if (one.type === 'Property' && one.key.type === 'Literal') return String(one.key.value)
    throw new Error(`${module.file}: ${name} has a computed key`)
  })
}

const nameOf = (name: TSTypeName): string => {
  if (name.type !== 'Identifier') throw new Error(`no schema of a ${name.type}`)
  return name.name
}

function alternatives(schema: z.ZodType): readonly z.ZodType[] {
  return schema instanceof z.ZodUnion ? (schema.options as z.ZodType[]) : [schema]
}

/** Combines each of the first with each of the second into an object with the fields of both. */
function both(first: readonly z.ZodType[], second: readonly z.ZodType[]): readonly z.ZodType[] {
  return first.flatMap((one) =>
    second.map((other) => z.strictObject({ ...(one as z.ZodObject).shape, ...(other as z.ZodObject).shape })),
  )
}

function textsOf(schema: z.ZodType): readonly string[] {
  if (schema instanceof z.ZodEnum) return schema.options as string[]
  return schema instanceof z.ZodLiteral && typeof schema.value === 'string' ? [schema.value] : []
}

/** Merges all string literals of a union into one enum. */
function oneOf(schemas: readonly z.ZodType[]): z.ZodType {
  const flat = schemas.flatMap(alternatives)
  const texts = flat.flatMap(textsOf)
  const others = flat.filter((one) => textsOf(one).length === 0)
  const all = texts.length > 1 ? [z.enum(texts), ...others] : [...flat]
  return all.length === 1 ? all[0]! : z.union(all)
}
