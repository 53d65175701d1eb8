/** What ends no sentence in a language although a full stop and a capital follow, and which words begin one. */
export interface Language {
  /** Titles and words that introduce something: never the end. In lower case, without the last full stop. */
  readonly titles: ReadonlySet<string>;
  /** The end only before a word that begins sentences. */
  readonly perhaps: ReadonlySet<string>;
  /** Not the end before a number. */
  readonly counted: ReadonlySet<string>;
  /** Abbreviations with full stops inside that are the end before any capital. */
  readonly ends: ReadonlySet<string>;
  /** Words that often begin a sentence, and are no names. */
  readonly starters: ReadonlySet<string>;
  /** A full stop behind a number makes an ordinal: `2. Oktober`, `Karel IV. Lucemburský`. */
  readonly ordinals: boolean;
  /** Every word has a vowel, so that `Hr` and `Sgt` are abbreviations. */
  readonly vowels: boolean;
}

interface Words {
  readonly titles: string;
  readonly perhaps?: string;
  readonly counted?: string;
  readonly ends?: string;
  readonly starters: string;
}

const WORDS: Readonly<Record<string, Words>> = {
  en: {
    titles:
      'mr mrs ms mx messrs dr drs prof rev revd hon rt capt cpt cmdr lt col gen maj sgt cpl pvt adm brig gov sen rep pres supt insp det mgr msgr fr mlle mme e.g i.e eg ie cf vs viz approx dept wm chas thos geo jos jas benj robt edw alex mt seb em',
    perhaps: 'st ft sr jr bros co inc ltd corp plc esq ave rd blvd ph.d al',
    counted:
      'no nos p pp vol vols ch chap fig figs eq eqs sec art v ver bk pt ex par jan feb mar apr jun jul aug sep sept oct nov dec ca c approx',
    ends: 'a.m p.m',
    starters:
      'the a an he she it we they you i this that these those there then when but and so in on at if as for his her my our their its what who why how where which no yes not now one two after before while from by with to all once some every each nobody nothing here suddenly later soon still only perhaps meanwhile however everyone did do does is was were are',
  },
  pl: {
    titles:
      'ks gen prof dr mgr inż płk ppłk por kpt mjr sierż kpr plut chor hr św ul al pl os woj pow gm im red hab bp abp kard br np m.in tj tzn tzw zob ok ds dyr lek med wyd przeł oprac tłum sz szan śp m.st j.w wg ww adm dh ob',
    perhaps: 'tys mln mld r w n.e p.n.e',
    counted: 'godz s str nr t rozdz rys tab poz ust art par',
    ends: 'itd itp etc',
    starters:
      'potem wtedy on ona ono oni one to ta ten te ci był była było byli nie i a ale ja ty my wy w we z ze na do od po pod przed za o u gdy kiedy jak co kto gdzie więc lecz jednak już tak nikt nic wszyscy teraz tam tu jego jej ich mój czy że bo tymczasem nagle wkrótce później dziś następnego każdy jest są',
  },
  de: {
    titles:
      'hr fr frl dr prof med phil jur ing dipl mag z.b d.h bzw ca vgl sog evtl ggf inkl exkl zzgl abzgl geb gest verh hrsg hg fa gebr joh seb lt gen hptm maj chr ev kath röm griech lat engl frz dt em',
    perhaps: 'st mio mrd jh jhd std min sek u.a o.ä v.chr n.chr jr sr',
    counted:
      'nr bd abb tab kap s abs art aufl str tel jan feb mär apr jun jul aug sep sept okt nov dez fig taf p nrn',
    ends: 'usw usf etc',
    starters:
      'der die das ein eine einen er sie es wir ihr ich du man dann da und aber doch denn so als wenn wie was wer wo warum nun jetzt plötzlich schließlich später am im in an auf bei nach vor mit von zu für seine ihre sein unser mein dies diese dieser dieses niemand nichts alle kein keine nur auch dort hier heute morgen gestern bald endlich vielleicht ja nein jeder man ist war hat',
  },
  fr: {
    titles:
      'm mm mme mmes mlle mlles me mgr dr pr prof ste sts cf p.ex c.-à-d apr av bd blvd hon gal cdt cne lt col éd env ex',
    perhaps: 'st cie j.-c jr',
    counted: 'no nos n° p pp fig chap t vol art janv févr avr juil sept oct nov déc v',
    ends: 'etc',
    starters:
      "le la les un une des il elle ils elles on nous vous je tu ce cela ça ceci et mais ou donc or ni car puis alors quand si comme que qui quoi où pourquoi comment dans sur sous à au aux en de du par pour avec sans son sa ses leur mon ma mes notre personne rien tout tous aucun bientôt soudain enfin ensuite après avant pendant depuis y ici là voici voilà chaque c' d' j' l' m' n' qu' s' t'",
  },
  es: {
    titles:
      'sr sra srta sres dr dra dres dña ud uds vd vds lic ing arq prof profa fr sto sta excmo excma ilmo ilma rvdo rvda mons gral cnel tte cap av avda pza p.ej ej ee avd cf ca ntra ntro',
    perhaps: 'cía cia uu oo s.a a.c d.c ee.uu jr',
    counted: 'núm n no p pp pág págs fig vol art t',
    ends: 'etc',
    starters:
      'el la los las un una unos unas él ella ellos ellas yo tú usted nosotros y pero o ni que qué quien quién cuando cuándo donde dónde como cómo si no sí en a al de del con por para sin sobre entre desde hasta su sus mi mis tu nuestro este esta esto ese esa eso aquel aquella luego entonces después antes ahora aquí allí ya también nadie nada todo todos cada hoy ayer mañana más así aunque porque mientras pronto era es fue',
  },
  it: {
    titles:
      'sig sigg sig.ra sig.na dott dott.ssa dr prof prof.ssa ing avv arch geom rag on mons ss sen gen col ten magg gent gent.mo egr spett f.lli fr p.es es cf ca rev cav comm ill.mo p.zza v.le',
    perhaps: 'a.c d.c s.p.a jr',
    counted: 'pag pagg p pp fig cap vol art num n nr sec',
    ends: 'ecc etc',
    starters:
      "il lo la i gli le un uno una egli ella lui lei loro noi voi io tu e ed ma o però che chi cosa come dove quando perché se non in a al alla da dal dalla di del della con su per tra fra nel nella sul poi allora dopo prima ora qui lì là già nessuno niente tutto tutti ogni questo questa quello quella ciò così mentre anche subito infine ieri oggi domani è era fu l' un' c' d' dell' nell' all' quell' dall' s' n'",
  },
  pt: {
    titles:
      'sr sra srs sras srta dr dra drs prof profa sta sto ex exmo exma ilmo ilma exa exas ex.ª eng arq av apto trav pç pça pe fr gen cel ten maj cap alm gov dep des p.ex cf ca',
    perhaps: 'cia a.c d.c s.a jr ltda',
    counted: 'núm n no p pp pág págs fig vol art t séc',
    ends: 'etc',
    starters:
      'o a os as um uma ele ela eles elas eu tu você nós e mas ou nem que quem quando onde como se não sim em no na nos nas ao à de do da dos das com por para sem sobre entre até seu sua meu minha nosso este esta isto esse essa isso aquele aquela depois então antes agora aqui ali já também ninguém nada tudo todos cada hoje ontem amanhã mais assim embora porque enquanto logo era é foi',
  },
  nl: {
    titles:
      'dhr mevr mw mr mrs dr drs ir ing prof ds past jhr bijv d.w.z o.a m.n t.a.v i.p.v n.a.v z.o.z m.b.v fa gebr ca vgl kapt kol gen sgt lt afd resp incl excl fam wed',
    perhaps: 'st co v.chr n.chr jr sr',
    counted: 'nr nrs blz afb p pp fig hfdst art jan feb mrt apr jun jul aug sep sept okt nov dec',
    ends: 'enz etc',
    starters:
      'de het een hij zij ze wij we ik jij je jullie u er dit dat deze die en maar of want dus toen dan als wanneer wat wie waar waarom hoe nu daar hier in op aan bij met van naar voor na om te zijn haar hun mijn ons onze niemand niets alles alle geen ook nog later plotseling eindelijk misschien gisteren vandaag morgen ja nee was is',
  },
  cs: {
    titles:
      'dr prof doc ing mgr mudr judr phdr rndr bc arch sv ul nám tř např tj tzv tzn obr kpt plk gen por mjr npor kap resp cca mj ev lat',
    perhaps: 'př hod tis mil n.l jr st ml',
    counted: 'str č čís tab roč odst písm obr s',
    ends: 'atd apod aj etc',
    starters:
      'on ona ono oni ony to ten ta ti tu já ty my vy a ale i nebo ani že když kdy kde kdo co jak proč pak potom tehdy teď nyní tam zde tady už jen také ještě v ve na do od po pod před za o u s se z ze k ke při pro jeho její jejich můj náš nikdo nic všichni všechno každý dnes včera zítra nakonec najednou konečně byl byla bylo byli je jsou není',
  },
  sv: {
    titles:
      'hr dr prof dir ing ex t.ex dvs d.v.s bl.a jfr ca kl ang resp inkl exkl civ doc kapt em fil',
    perhaps: 'st f.kr e.kr jr',
    counted: 'kap nr s sid fig kl jan feb apr jun jul aug sep sept okt nov dec',
    ends: 'osv m.m m.fl o.s.v o.d etc',
    starters:
      'han hon den det de vi ni jag du man en ett och men eller så då när om som vad vem var varför hur nu där här i på vid med av till från för efter innan under över sin hans hennes deras min vår ingen inget alla allt också bara sedan plötsligt äntligen kanske igår idag imorgon ja nej är',
  },
  uk: {
    titles: 'вул пл просп проф ім акад див напр тзв гр доц обл',
    perhaps: 'ст грн тис млн млрд руб др ін',
    counted: 'рис с стор гл розд п ч',
    starters:
      'він вона воно вони я ти ми ви і й та але або що хто де коли як чому потім тоді тепер там тут уже у в на до від по під над за з із зі о про його її їх мій наш ніхто ніщо нічого все всі кожен сьогодні вчора завтра раптом нарешті це цей ця ці не так',
  },
  ru: {
    titles: 'ул пл просп проф акад им св см напр гр тов доц обл ср',
    perhaps: 'ст руб тыс млн млрд др',
    counted: 'рис с стр гл п ч',
    starters:
      'он она оно они я ты мы вы и а но или что кто где когда как почему потом тогда теперь там тут уже в на до от по под над за с из о об его её их мой наш никто ничто всё все каждый сегодня вчера завтра вдруг наконец это этот эта эти не да нет',
  },
  el: {
    titles: 'δρ κα κος π.χ καθ',
    perhaps: 'μ.χ π.μ μ.μ',
    counted: 'σελ αρ κεφ εικ',
    ends: 'κ.λπ κλπ',
    starters: 'ο η το οι τα ένας μια και αλλά δεν θα αυτός αυτή αυτό τότε μετά',
  },
  hi: { titles: 'डॉ श्री पं प्रो सुश्री', starters: '' },
  ar: { titles: '', starters: '' },
};

const ORDINALS = 'de cs sk pl da no nb nn fi hu hr sl sr bs et lv is lb'.split(' ');
/** A syllable may have no vowel: `vlk`, `krk`. */
const VOWELLESS = 'cs sk hr sl sr bs bg mk'.split(' ');

/** Abbreviations before numbers, in every language. */
const COUNTED = 'no nr tel fax p pp vol fig art cap ca';

const setOf = (words = ''): ReadonlySet<string> => new Set(words.split(' '));

/** For languages of which no words are known. */
const NO_WORDS: Words = { titles: 'dr prof', starters: '' };

const languages = new Map<string, Language>();

/** @param tag BCP 47 */
export function languageOf(tag: string): Language {
  const code = tag.split('-', 1)[0] ?? '';
  const known = languages.get(code);
  if (known !== undefined) return known;
  const words = Object.hasOwn(WORDS, code) ? (WORDS[code] ?? NO_WORDS) : NO_WORDS;
  const language: Language = {
    titles: setOf(words.titles),
    perhaps: setOf(words.perhaps),
    counted: setOf(`${COUNTED} ${words.counted ?? ''}`),
    ends: setOf(words.ends),
    starters: setOf(words.starters),
    ordinals: ORDINALS.includes(code),
    vowels: !VOWELLESS.includes(code),
  };
  // Only languages with words of their own are kept, because a story may name any tag.
  if (words !== NO_WORDS) languages.set(code, language);
  return language;
}
