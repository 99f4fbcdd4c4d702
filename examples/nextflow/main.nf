// Slides in shards: nextflow run main.nf --slides '/shared/slides/*.svs' --out /shared/batch --shards 4
// Blocks are files in --out, which all jobs see under one name; with -resume, or without, windows that are done stay done.
params.slides = 'slides/*'
params.out = "${launchDir}/batch"
params.shards = 4
params.options = ''  // of irnet slide plan

process plan {
    input:
    val slides  // as they are called where they lie: a plan holds their paths

    output:
    val true

    script:
    """
    irnet slide plan ${slides.collect { "'${it}'" }.join(' ')} -o '${params.out}' ${params.options}
    """
}

process shard {
    cpus 4
    memory '8 GB'
    time '12h'
    errorStrategy 'retry'
    maxRetries 2

    input:
    val planned
    each part

    output:
    val part

    script:
    """
    OMP_NUM_THREADS=${task.cpus} irnet slide run '${params.out}' --shard ${part}/${params.shards}
    """
}

process finish {
    input:
    val parts

    script:
    """
    irnet slide finish '${params.out}'
    """
}

workflow {
    slides = Channel.fromPath(params.slides, checkIfExists: true).toSortedList()
    parts = Channel.of(1..params.shards)
    finish(shard(plan(slides), parts).collect())
}
