import { seededRandom } from './seeded-random.ts'

export interface Product {
  default_code: string
  name: string
  /** Gross, whole pesos. */
  price: number
}

/** What the retailer sells: gross CLP prices, IVA included. */
export const PRODUCTS: readonly Product[] = [
  ['ZAP-URB-40', 'Zapatilla urbana cuero 40', 39_990],
  ['ZAP-URB-42', 'Zapatilla urbana cuero 42', 39_990],
  ['ZAP-RUN-38', 'Zapatilla running mujer 38', 54_990],
  ['POL-ALG-M', 'Polera algodón orgánico M', 12_990],
  ['POL-ALG-L', 'Polera algodón orgánico L', 12_990],
  ['PAR-TER-M', 'Parka térmica impermeable M', 69_990],
  ['JEA-REC-32', 'Jeans recto azul 32', 24_990],
  ['VES-MID-S', 'Vestido midi estampado S', 29_990],
  ['MOC-ESC-20', 'Mochila escolar 20 litros', 19_990],
  ['AUD-BT-NEG', 'Audífonos inalámbricos negros', 34_990],
  ['PAR-BT-10W', 'Parlante portátil 10 W', 22_990],
  ['TEC-MEC-ES', 'Teclado mecánico en español', 45_990],
  ['HER-ELE-17', 'Hervidor eléctrico 1,7 litros', 17_990],
  ['CAF-ITA-06', 'Cafetera italiana 6 tazas', 14_990],
  ['SAR-ANT-28', 'Sartén antiadherente 28 cm', 16_990],
  ['LIC-600W', 'Licuadora 600 W', 27_990],
  ['SAB-2P-144', 'Juego de sábanas 2 plazas 144 hilos', 21_990],
  ['TOA-SET-04', 'Set de 4 toallas', 18_990],
  ['LAM-MES-BL', 'Lámpara de mesa blanca', 13_990],
  ['SIL-ESC-ER', 'Silla de escritorio ergonómica', 89_990],
  ['BIC-INF-16', 'Bicicleta infantil aro 16', 79_990],
  ['PEL-FUT-05', 'Pelota de fútbol N° 5', 9_990],
  ['COC-BEB-AZ', 'Coche de bebé plegable azul', 119_990],
  ['PAN-TV-50', 'Soporte de pared para TV 50"', 15_990],
].map(([default_code, name, price]) => ({ default_code, name, price }) as Product)

/** Products of the incidents alone, so that what is wrong with them harms no other order. */
export const SPECIAL_PRODUCTS: readonly Product[] = [
  { default_code: 'SOF-3C-GRI', name: 'Sofá 3 cuerpos gris', price: 349_990 },
  { default_code: 'COL-KING-PR', name: 'Colchón king premium', price: 429_990 },
  { default_code: 'TEL-LIN-MT', name: 'Tela de lino por metro', price: 8_990 },
]

export interface Person {
  name: string
  email: string
  phone: string
  street: string
  city: string
}

const FIRST = 'Camila Matías Javiera Benjamín Antonia Vicente Catalina Sebastián Constanza Ignacio Francisca Tomás Valentina Diego Fernanda'
const LAST = 'Rojas Fuentes Soto Muñoz Contreras Sepúlveda Araya Morales Gutiérrez Vergara Tapia Cárdenas Bravo Riquelme Ñanculef'
const STREETS = ['Av. Providencia', 'Los Carrera', 'San Martín', 'Pasaje Los Aromos', 'Av. Irarrázaval', 'Calle Prat', 'Av. Alemania']
const COMUNAS = [
  'Providencia',
  'Ñuñoa',
  'Maipú',
  'La Florida',
  'Viña del Mar',
  'Valparaíso',
  'Concepción',
  'Temuco',
  'Antofagasta',
  'La Serena',
]

/** People who buy, with addresses in Chile; none of them exists. */
export const PEOPLE: readonly Person[] = peopleOf(60)

function peopleOf(count: number): Person[] {
  const random = seededRandom(1810)
  const firsts = FIRST.split(' ')
  const lasts = LAST.split(' ')
  return Array.from({ length: count }, (_, at) => {
    const first = firsts[at % firsts.length] ?? ''
    const last = lasts[(at * 7 + Math.floor(at / firsts.length)) % lasts.length] ?? ''
    const second = random.pick(lasts)
    const plain = `${first}.${last}${at}`
      .normalize('NFD')
      .replace(/[^A-Za-z0-9.]/g, '')
      .toLowerCase()
    return {
      name: `${first} ${last} ${second}`,
      email: `${plain}@example.com`,
      phone: `+56 9 ${random.between(4000, 9999)} ${random.between(1000, 9999)}`,
      street: `${random.pick(STREETS)} ${random.between(100, 4999)}`,
      city: random.pick(COMUNAS),
    }
  })
}
